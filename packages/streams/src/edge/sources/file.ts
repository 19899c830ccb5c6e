/** Rows of a file: lines of JSON, CSV or text, from where they were left. */
import { type FileHandle, open } from 'node:fs/promises';
import { messageOf } from '@skerry/base';
import { millisecondsOf } from '../../engine/rule/prepare.ts';
import { type ReadRow, rowReader } from '../../engine/rule/read-row.ts';
import type { FileSource, StreamSpec } from '../../kinds/stream.ts';
import { RowError } from '../../sql/index.ts';
import { type Decode, lineDecoder, MAX_MESSAGE_BYTES } from '../decode.ts';
import { pathIn } from '../folder.ts';
import type { Source, SourceContext, SourceTarget } from './source.ts';

/** In bytes. */
interface Position {
  readonly offset: number;
}

const CHUNK_BYTES = 256 * 1024;
/** How often a file that is followed is looked at, and one that is not there. */
const LOOK_MS = 500;
/** How often it is asked whether there is room for the next row. */
const FULL_MS = 20;

export function openFile(spec: StreamSpec, target: SourceTarget, context: SourceContext, position?: unknown): Source {
  const reading = new FileReading(spec, target, context, position as Position | undefined);
  void reading.run();
  return reading;
}

class FileReading implements Source {
  readonly #file: FileSource;
  readonly #target: SourceTarget;
  readonly #context: SourceContext;
  readonly #spec: StreamSpec;
  readonly #read: ReadRow;
  readonly #closing = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  /** Of what was handed on. */
  #offset: number;
  /** Bytes after it of a line that is too long, whose end has not come yet. */
  #passedOver = 0;
  /** Of the file as it was begun. */
  #decode: Decode | undefined;

  constructor(spec: StreamSpec, target: SourceTarget, context: SourceContext, position: Position | undefined) {
    this.#file = spec.source.file ?? { path: '' };
    this.#target = target;
    this.#context = context;
    this.#spec = spec;
    this.#read = rowReader(spec);
    this.#offset = position?.offset ?? 0;
  }

  position(): Position {
    return { offset: this.#offset };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async run(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    try {
      while (!this.#closing.signal.aborted) {
        await this.#readOnce();
        if (this.#file.follow !== true) break;
        await this.#context.clock.sleep(LOOK_MS, this.#closing.signal);
      }
      if (!this.#closing.signal.aborted) this.#target.end();
    } catch {
      // Only the signal ends it.
    } finally {
      resolve();
    }
  }

  /** To the end of the file as it is now; until it is there at all. */
  async #readOnce(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      try {
        await using handle = await open(pathIn(this.#context.folder, this.#file.path), 'r');
        this.#target.problem(undefined);
        await this.#readFrom(handle);
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.#target.problem(`the file ${this.#file.path} cannot be read: ${messageOf(error)}`);
        await this.#context.clock.sleep(LOOK_MS, signal);
      }
    }
  }

  async #readFrom(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat();
    if (size < this.#offset + this.#passedOver) this.#beginAnew();
    this.#decode ??= await this.#decoderFor(handle);
    const buffer = Buffer.alloc(CHUNK_BYTES);
    let rest: Buffer = Buffer.alloc(0);
    let at = this.#offset + this.#passedOver;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, at);
      this.#closing.signal.throwIfAborted();
      if (bytesRead === 0) break;
      at += bytesRead;
      const kept = this.#passOver(buffer.subarray(0, bytesRead));
      rest = await this.#takeLines(Buffer.concat([rest, kept]));
      if (rest.length > MAX_MESSAGE_BYTES) {
        this.#passedOver = rest.length;
        rest = Buffer.alloc(0);
      }
      await yieldToOthers();
    }
    // A last line without its end is whole only where nothing is added any more.
    if (this.#file.follow === true) return;
    if (this.#passedOver > 0) this.#refuseLine(0);
    else if (rest.length > 0) this.#takeLine(rest.toString('utf8'), rest.length);
  }

  #beginAnew(): void {
    this.#offset = 0;
    this.#passedOver = 0;
    this.#decode = undefined;
  }

  /** Going on in the middle of CSV, the names of fields are still at its beginning. */
  async #decoderFor(handle: FileHandle): Promise<Decode> {
    const decode = lineDecoder(this.#spec.format ?? 'Json', this.#spec.delimiter ?? ',');
    if (this.#spec.format !== 'Csv' || this.#offset === 0) return decode;
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, 0);
    const [line = ''] = buffer.toString('utf8', 0, bytesRead).split(/\r?\n/, 1);
    decode(line);
    return decode;
  }

  /** What is not of a line that is too long. */
  #passOver(bytes: Buffer): Buffer {
    if (this.#passedOver === 0) return bytes;
    const end = bytes.indexOf(NEWLINE);
    if (end === -1) {
      this.#passedOver += bytes.length;
      return Buffer.alloc(0);
    }
    this.#refuseLine(end + 1);
    return bytes.subarray(end + 1);
  }

  /** It is counted once its end is there: whoever goes on before that passes over the whole of it again. */
  #refuseLine(more: number): false {
    this.#offset += this.#passedOver + more;
    this.#passedOver = 0;
    this.#target.failed(new RowError(`a line of ${this.#file.path} has more than ${MAX_MESSAGE_BYTES} bytes`));
    return false;
  }

  /** What is after the last line break. */
  async #takeLines(bytes: Buffer): Promise<Buffer> {
    const pauseMs = millisecondsOf(this.#file.interval, 0);
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      const size = end + 1 - from;
      const isRow =
        size > MAX_MESSAGE_BYTES ? this.#refuseLine(size) : this.#takeLine(bytes.toString('utf8', from, end), size);
      from = end + 1;
      if (isRow && pauseMs > 0) await this.#context.clock.sleep(pauseMs, this.#closing.signal);
      while (this.#target.isFull?.() === true) await this.#context.clock.sleep(FULL_MS, this.#closing.signal);
    }
    return bytes.subarray(from);
  }

  #takeLine(line: string, bytes: number): boolean {
    this.#offset += bytes;
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (text === '') return false;
    try {
      const messages = this.#decode?.(text) ?? [];
      for (const message of messages) {
        const { row, time } = this.#read(message);
        this.#target.row(row, time);
      }
      return messages.length > 0;
    } catch (error) {
      this.#target.failed(error);
      return false;
    }
  }
}

const NEWLINE = 10;

/** A long file is not all that this process has to do. */
function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
