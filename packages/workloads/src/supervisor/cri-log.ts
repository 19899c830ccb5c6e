/** Container logs as CRI has them, `TIME STREAM F|P TEXT`, cut to size and rotated. The file name is the reader's contract. */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, write } from 'node:fs';
import { dirname } from 'node:path';
import { type Logger, messageOf } from '@skerry/base';
import type { LogSpec } from './protocol.ts';

export type LogStream = 'stdout' | 'stderr';

/** Longer lines are cut into partial ones, as container runtimes do. */
export const MAX_LINE_BYTES = 16 * 1024;
/** Past this, the process's pipe is no longer read until the disk has caught up. */
const MAX_UNWRITTEN_BYTES = 256 * 1024;

const NEWLINE = 0x0a;

/** Collects the bytes of one stream into log lines. Pure: `stamp` is the time of the line as text. */
export class LineSplitter {
  readonly #stream: LogStream;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: LogStream) {
    this.#stream = stream;
  }

  push(chunk: Buffer, stamp: () => string): Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const parts: Buffer[] = [];
    let start = 0;
    while (start < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline < 0 ? bytes.length : newline;
      if (end - start > MAX_LINE_BYTES) {
        parts.push(this.#line(bytes.subarray(start, start + MAX_LINE_BYTES), 'P', stamp));
        start += MAX_LINE_BYTES;
        continue;
      }
      if (newline < 0) break;
      parts.push(this.#line(bytes.subarray(start, end), 'F', stamp));
      start = newline + 1;
    }
    // A copy, so that four bytes of a line do not keep a whole read buffer alive.
    this.#rest = Buffer.from(bytes.subarray(start));
    return parts;
  }

  /** What is left at the end of the stream: a last line without a newline. */
  finish(stamp: () => string): Buffer[] {
    if (this.#rest.length === 0) return [];
    const last = this.#line(this.#rest, 'P', stamp);
    this.#rest = Buffer.alloc(0);
    return [last];
  }

  #line(text: Buffer, tag: 'F' | 'P', stamp: () => string): Buffer {
    return Buffer.concat([Buffer.from(`${stamp()} ${this.#stream} ${tag} `), text, Buffer.from('\n')]);
  }
}

/** RFC 3339 with nanoseconds; lines of one millisecond are told apart by a counter, so that order survives sorting. */
export function stamper(now: () => number): () => string {
  let lastMs = 0;
  let count = 0;
  return () => {
    const ms = now();
    count = ms === lastMs ? Math.min(count + 1, 999_999) : 0;
    lastMs = ms;
    return `${new Date(ms).toISOString().slice(0, -1)}${String(count).padStart(6, '0')}Z`;
  };
}

/** Writes one container's log. One write is under way at a time; `isFull` tells the reader of the pipe to wait. */
export class LogWriter {
  readonly #spec: LogSpec;
  readonly #stamp: () => string;
  readonly #splitters = { stdout: new LineSplitter('stdout'), stderr: new LineSplitter('stderr') };
  readonly #log: Pick<Logger, 'warn'> | undefined;
  /** Undefined until the first line, and while the file cannot be opened. */
  #file: number | undefined;
  #fileBytes = 0;
  #rotationFails = false;
  /** Lines lost since the file could last be opened. */
  #dropped = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #writing = false;
  #closed = false;
  #idle: (() => void)[] = [];
  #onRoom: (() => void) | undefined;

  constructor(spec: LogSpec, now: () => number, log?: Pick<Logger, 'warn'>) {
    this.#spec = spec;
    this.#stamp = stamper(now);
    this.#log = log;
  }

  /** Makes the file and its directory now and not with the first line; throws when that cannot be done. */
  open(): void {
    if (this.#file !== undefined) return;
    mkdirSync(dirname(this.#spec.path), { recursive: true, mode: 0o750 });
    this.#file = openSync(this.#spec.path, 'a', 0o640);
    this.#fileBytes = fstatSync(this.#file).size;
  }

  get isFull(): boolean {
    return this.#pendingBytes > MAX_UNWRITTEN_BYTES;
  }

  append(stream: LogStream, chunk: Buffer): void {
    this.#enqueue(this.#splitters[stream].push(chunk, this.#stamp));
  }

  /** Calls back once when there is room again. */
  onRoom(callback: () => void): void {
    const earlier = this.#onRoom;
    this.#onRoom = () => {
      earlier?.();
      callback();
    };
  }

  /** Writes what is left, partial lines included, and closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#enqueue(this.#splitters.stdout.finish(this.#stamp));
    this.#enqueue(this.#splitters.stderr.finish(this.#stamp));
    if (this.#writing) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#closeFile();
    if (this.#dropped > 0) this.#log?.warn({ path: this.#spec.path, lines: this.#dropped }, 'log lines lost');
  }

  #closeFile(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #enqueue(lines: readonly Buffer[]): void {
    for (const line of lines) {
      this.#pending.push(line);
      this.#pendingBytes += line.length;
    }
    if (!this.#writing && this.#pending.length > 0) this.#writeNext();
  }

  #writeNext(): void {
    const chunk = this.#takeChunk();
    this.#writing = true;
    this.#rotateFor(chunk.length);
    const file = this.#openOrDrop(chunk);
    if (file === undefined) {
      setImmediate(() => this.#afterWrite(chunk.length));
      return;
    }
    this.#fileBytes += chunk.length;
    // A full disk must not stop the process: the lines are lost, as they are with every container runtime.
    write(file, chunk, () => this.#afterWrite(chunk.length));
  }

  /** Whole lines up to the size of a file, so that one flush never makes a file twice as large as allowed. */
  #takeChunk(): Buffer {
    const limit = Math.min(MAX_UNWRITTEN_BYTES, this.#spec.maxBytes);
    let bytes = 0;
    let count = 0;
    for (const line of this.#pending) {
      if (count > 0 && bytes + line.length > limit) break;
      bytes += line.length;
      count++;
    }
    const lines = this.#pending.splice(0, count);
    return lines.length === 1 && lines[0] !== undefined ? lines[0] : Buffer.concat(lines);
  }

  #afterWrite(bytes: number): void {
    this.#writing = false;
    this.#pendingBytes -= bytes;
    if (this.#pending.length > 0) {
      this.#writeNext();
    } else {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
    if (this.isFull || this.#onRoom === undefined) return;
    const resume = this.#onRoom;
    this.#onRoom = undefined;
    resume();
  }

  #rotateFor(bytes: number): void {
    if (this.#fileBytes === 0 || this.#fileBytes + bytes <= this.#spec.maxBytes) return;
    try {
      rotateFiles(this.#spec);
    } catch (error) {
      // Better a file that is too large than a container without a log.
      if (!this.#rotationFails) this.#warn(error, 'log cannot be rotated');
      this.#rotationFails = true;
      return;
    }
    this.#rotationFails = false;
    this.#closeFile();
    this.#fileBytes = 0;
  }

  /** A log that cannot be opened costs its lines, told once, and never the process or the supervisor. */
  #openOrDrop(chunk: Buffer): number | undefined {
    try {
      this.open();
    } catch (error) {
      if (this.#dropped === 0) this.#warn(error, 'log cannot be opened; its lines are lost');
      for (const byte of chunk) if (byte === NEWLINE) this.#dropped++;
      return undefined;
    }
    if (this.#dropped > 0) this.#log?.warn({ path: this.#spec.path, lines: this.#dropped }, 'log lines lost');
    this.#dropped = 0;
    return this.#file;
  }

  #warn(error: unknown, text: string): void {
    this.#log?.warn({ path: this.#spec.path, error: messageOf(error) }, text);
  }
}

/** `0.log` becomes `0.log.1`, `0.log.1` becomes `0.log.2`, and what is past the bound goes. */
export function rotateFiles({ path, maxFiles }: LogSpec): void {
  const kept = Math.max(1, maxFiles) - 1;
  rmSync(kept === 0 ? path : `${path}.${kept}`, { force: true });
  for (let index = kept - 1; index >= 1; index--) renameIfThere(`${path}.${index}`, `${path}.${index + 1}`);
  if (kept > 0) renameIfThere(path, `${path}.1`);
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
