/** Bytes to the text of lines, and texts to the bytes of a line. */
import { TextDecoder } from 'node:util';
import type { Heard, MessageReader } from '../../transport/channel.ts';
import { LineSplitter } from './line-splitter.ts';

export interface LineOptions {
  readonly delimiter: string;
  readonly charset: 'utf-8' | 'latin1';
  readonly maxLineBytes: number;
  /** The device sends back what it hears. */
  readonly hasEcho: boolean;
}

export class LineReader implements MessageReader<string> {
  readonly #options: LineOptions;
  readonly #splitter: LineSplitter;
  readonly #decoder: TextDecoder;
  #echo: string | undefined;

  constructor(options: LineOptions) {
    const { delimiter, charset, maxLineBytes } = options;
    this.#options = options;
    this.#splitter = new LineSplitter(this.#bytesOf(delimiter), maxLineBytes);
    this.#decoder = new TextDecoder(charset, { fatal: true });
  }

  /** The bytes of a question; its echo is no message. */
  question(text: string): Uint8Array {
    if (this.#options.hasEcho) this.#echo = text;
    return this.line(text);
  }

  line(text: string): Uint8Array {
    return this.#bytesOf(text + this.#options.delimiter);
  }

  push(bytes: Uint8Array): Heard<string> {
    const { lines, dropped } = this.#splitter.push(bytes);
    const texts = lines.map((line) => this.#textOf(line));
    return {
      messages: texts.filter((text) => text !== undefined).filter((text) => !this.#isEcho(text)),
      lost: dropped,
      fault: texts.includes(undefined) ? `is not ${this.#options.charset}` : undefined,
    };
  }

  clear(): void {
    this.#splitter.clear();
  }

  #isEcho(text: string): boolean {
    if (text !== this.#echo) return false;
    this.#echo = undefined;
    return true;
  }

  #bytesOf(text: string): Uint8Array {
    return new Uint8Array(Buffer.from(text, this.#options.charset === 'latin1' ? 'latin1' : 'utf8'));
  }

  /** Without the carriage return that comes before a line feed. */
  #textOf(bytes: Uint8Array): string | undefined {
    try {
      return this.#decoder.decode(bytes).replace(/\r$/, '');
    } catch {
      return undefined;
    }
  }
}
