/** Rows of a file: lines of JSON, CSV or text, from where they were left. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { messageOf } from '@skerry/base';
import { millisecondsOf } from '../../engine/rule/prepare.ts';
import { type ReadRow, rowReader } from '../../engine/rule/read-row.ts';
import type { FileSource, StreamSpec } from '../../kinds/stream.ts';
import { RowError } from '../../sql/index.ts';
import { lineDecoder, MAX_MESSAGE_BYTES } from '../decode.ts';
import { pathIn } from '../folder.ts';
import type { Source, SourceContext, SourceTarget } from './source.ts';

/** In bytes. */
interface Position {
  readonly offset: number;
}

const CHUNK_BYTES = 256 * 1024;
/** How often a file that is followed is looked at, and one that is not there. */
const LOOK_MS = 500;

export function openFile(spec: StreamSpec, target: SourceTarget, context: SourceContext, position?: unknown): Source {
  const reading = new FileReading(spec, target, context, position as Position | undefined);
  void reading.run();
  return reading;
}

class FileReading implements Source {
  readonly #file: FileSource;
  readonly #target: SourceTarget;
  readonly #context: SourceContext;
  readonly #decode: (line: string) => readonly unknown[];
  readonly #read: ReadRow;
  readonly #closing = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  /** Of what was handed on. */
  #offset: number;
  #hasHeader: boolean;

  constructor(spec: StreamSpec, target: SourceTarget, context: SourceContext, position: Position | undefined) {
    this.#file = spec.source.file ?? { path: '' };
    this.#target = target;
    this.#context = context;
    this.#decode = lineDecoder(spec.format ?? 'Json', spec.delimiter ?? ',');
    this.#read = rowReader(spec);
    this.#offset = position?.offset ?? 0;
    this.#hasHeader = spec.format === 'Csv';
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
    const { size } = await stat(pathIn(this.#context.folder, this.#file.path));
    // It was begun anew.
    if (size < this.#offset) this.#offset = 0;
    if (this.#hasHeader && this.#offset > 0) await this.#readHeader(handle);
    const buffer = Buffer.alloc(CHUNK_BYTES);
    let rest: Buffer = Buffer.alloc(0);
    let at = this.#offset;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, at);
      this.#closing.signal.throwIfAborted();
      if (bytesRead === 0) break;
      at += bytesRead;
      rest = await this.#takeLines(Buffer.concat([rest, buffer.subarray(0, bytesRead)]));
      if (rest.length > MAX_MESSAGE_BYTES) throw new RowError('a line is too long');
      await yieldToOthers();
    }
    // A last line without its end is whole only where nothing is added any more.
    if (rest.length > 0 && this.#file.follow !== true) this.#takeLine(rest.toString('utf8'), rest.length);
  }

  /** What is after the last line break. */
  async #takeLines(bytes: Buffer): Promise<Buffer> {
    const pauseMs = millisecondsOf(this.#file.interval, 0);
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      const isRow = this.#takeLine(bytes.toString('utf8', from, end), end + 1 - from);
      from = end + 1;
      if (isRow && pauseMs > 0) await this.#context.clock.sleep(pauseMs, this.#closing.signal);
    }
    return bytes.subarray(from);
  }

  #takeLine(line: string, bytes: number): boolean {
    this.#offset += bytes;
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (text === '') return false;
    try {
      const messages = this.#decode(text);
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

  /** Going on in the middle of CSV, the names of fields are still at its beginning. */
  async #readHeader(handle: FileHandle): Promise<void> {
    this.#hasHeader = false;
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, 0);
    const [line = ''] = buffer.toString('utf8', 0, bytesRead).split(/\r?\n/);
    this.#decode(line);
  }
}

const NEWLINE = 10;

/** A long file is not all that this process has to do. */
function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
