/** Lines there and back: one question at a time, and everything that comes is also told to whoever listens. */
import { TextDecoder } from 'node:util';
import type { Clock, Timer } from '@skerry/base';
import { DriverError } from '../../driver-error.ts';
import type { ByteStream } from '../../transport/byte-stream.ts';
import { LineSplitter } from './line-splitter.ts';

export interface ChannelOptions {
  readonly stream: ByteStream;
  readonly clock: Clock;
  readonly delimiter: string;
  readonly charset: 'utf-8' | 'latin1';
  readonly maxLineBytes: number;
  readonly hasEcho: boolean;
  readonly timeoutMs: number;
}

export interface Question {
  readonly text: string;
  /** Whether the line is the answer; the first one is, without it. */
  readonly isAnswer?: ((line: string) => boolean) | undefined;
}

interface Asked extends Question {
  readonly resolve: (line: string) => void;
  readonly reject: (error: DriverError) => void;
  /** Nobody waits for the answer, which comes all the same. */
  isGivenUp: boolean;
}

export interface LineListener {
  line(line: string): void;
  lost(count: number): void;
}

const MAX_WAITING = 1024;

export class LineChannel {
  readonly ended: Promise<DriverError | undefined>;
  readonly listeners = new Set<LineListener>();
  readonly #options: ChannelOptions;
  readonly #splitter: LineSplitter;
  readonly #decoder: TextDecoder;
  readonly #waiting: Asked[] = [];
  #current: Asked | undefined;
  #timer: Timer | undefined;
  #echo: string | undefined;
  #end: DriverError | undefined;

  constructor(options: ChannelOptions) {
    const { stream, delimiter, charset, maxLineBytes } = options;
    this.#options = options;
    this.#splitter = new LineSplitter(this.#encode(delimiter), maxLineBytes);
    this.#decoder = new TextDecoder(charset, { fatal: true });
    this.ended = stream.closed.then((error) => {
      this.#fail(error ?? new DriverError('Closed', 'the session was closed'));
      return error;
    });
    stream.onBytes((bytes) => this.#onBytes(bytes));
  }

  /** Rejects with a DriverError. */
  async ask(question: Question, signal: AbortSignal): Promise<string> {
    if (this.#end !== undefined) throw this.#end;
    if (signal.aborted) throw new DriverError('Closed', 'the request was given up');
    if (this.#waiting.length >= MAX_WAITING) throw new DriverError('Busy', `${MAX_WAITING} requests wait for the line`);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const asked: Asked = { ...question, resolve, reject, isGivenUp: false };
    const giveUp = () => {
      asked.isGivenUp = true;
      reject(new DriverError('Closed', 'the request was given up'));
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#waiting.push(asked);
    this.#next();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Sent without waiting for anything. */
  say(text: string): void {
    if (this.#end !== undefined) throw this.#end;
    this.#options.stream.write(this.#encode(text + this.#options.delimiter));
  }

  close(): void {
    this.#options.stream.close();
    this.#fail(new DriverError('Closed', 'the session was closed'));
  }

  #encode(text: string): Uint8Array {
    return new Uint8Array(Buffer.from(text, this.#options.charset === 'latin1' ? 'latin1' : 'utf8'));
  }

  #next(): void {
    if (this.#current !== undefined) return;
    let next = this.#waiting.shift();
    while (next?.isGivenUp === true) next = this.#waiting.shift();
    if (next === undefined) return;
    const { text } = next;
    const { clock, timeoutMs, hasEcho } = this.#options;
    this.#current = next;
    this.#echo = hasEcho ? text : undefined;
    this.#timer = clock.after(timeoutMs, () =>
      this.#settle((asked) =>
        asked.reject(new DriverError('TimedOut', `no answer to "${text}" within ${timeoutMs} ms`)),
      ),
    );
    this.say(text);
  }

  #settle(how: (asked: Asked) => void): void {
    const asked = this.#current;
    if (asked === undefined) return;
    this.#timer?.cancel();
    this.#current = undefined;
    how(asked);
    if (this.#end === undefined) this.#next();
  }

  #onBytes(bytes: Uint8Array): void {
    const { lines, dropped } = this.#splitter.push(bytes);
    if (dropped > 0) for (const listener of this.listeners) listener.lost(dropped);
    for (const line of lines) this.#onLine(line);
  }

  #onLine(bytes: Uint8Array): void {
    const line = this.#textOf(bytes);
    if (line === undefined) {
      this.#settle((asked) =>
        asked.reject(new DriverError('Malformed', `the answer to "${asked.text}" is not ${this.#options.charset}`)),
      );
      return;
    }
    if (line === this.#echo) {
      this.#echo = undefined;
      return;
    }
    for (const listener of this.listeners) listener.line(line);
    if (this.#current !== undefined && this.#current.isAnswer?.(line) !== false)
      this.#settle((asked) => asked.resolve(line));
  }

  /** Without the carriage return that comes before a line feed. */
  #textOf(bytes: Uint8Array): string | undefined {
    try {
      return this.#decoder.decode(bytes).replace(/\r$/, '');
    } catch {
      return undefined;
    }
  }

  #fail(error: DriverError): void {
    this.#end ??= error;
    const end = this.#end;
    this.#settle((asked) => asked.reject(end));
    for (const asked of this.#waiting.splice(0)) asked.reject(end);
  }
}
