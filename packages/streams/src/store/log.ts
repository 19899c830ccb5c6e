/**
 * The append log: what is in the head, as it came, so that a crash loses nothing that was acknowledged. A file a generation of the
 * head; records with a checksum; what is appended while a write is on its way goes with the next one.
 */
import { close, constants, fdatasync, write as fsWrite, open } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { syncDirectory } from './database.ts';

export const LOG_MAGIC = 0x31_4c_4b_53; // "SKL1"
export const RECORD_HEAD_BYTES = 8;

/** So many bytes may wait for the disk; appending ends there until some are written. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024;
const FIRST_BYTES = 64 * 1024;

/** What a disk does for the log: the tests have one that fails. */
export interface LogDisk {
  open(file: string): Promise<LogFile>;
}

export interface LogFile {
  /** On disk when it resolves. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

interface Segment {
  readonly file: string;
  readonly buffer: GrowingBuffer;
  open: LogFile | undefined;
  written: number;
}

export class AppendLog {
  readonly #disk: LogDisk;
  /** Older ones first; the last takes what is appended. */
  readonly #segments: Segment[] = [];
  #inFlight: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(disk: LogDisk) {
    this.#disk = disk;
  }

  get hasBegun(): boolean {
    return this.#segments.length > 0;
  }

  get #pendingBytes(): number {
    return this.#segments.reduce((sum, { buffer }) => sum + buffer.length, 0);
  }

  /** On disk and waiting for it. */
  get bytes(): number {
    return this.#segments.reduce((sum, { buffer, written }) => sum + buffer.length + written, 0);
  }

  /** Of the file that takes what is appended. */
  get newestBytes(): number {
    const segment = this.#segments.at(-1);
    return segment === undefined ? 0 : segment.buffer.length + segment.written;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#pendingBytes + bytes <= MAX_PENDING_BYTES;
  }

  /** What is appended from now on goes into `file`, behind so many bytes that it has already. */
  begin(file: string, written = 0): void {
    const buffer = new GrowingBuffer(FIRST_BYTES);
    if (written === 0) buffer.reserve(4).setUint32(0, LOG_MAGIC, true);
    this.#segments.push({ file, buffer, open: undefined, written });
  }

  /** A record of these parts. */
  append(parts: readonly Uint8Array[]): void {
    const segment = this.#segments.at(-1);
    if (segment === undefined) throw new RangeError('the log has not begun');
    let length = 0;
    let checksum = 0;
    for (const part of parts) {
      length += part.length;
      checksum = crc32(part, checksum);
    }
    const head = segment.buffer.reserve(RECORD_HEAD_BYTES);
    head.setUint32(0, length, true);
    head.setUint32(4, checksum, true);
    for (const part of parts) segment.buffer.append(part);
  }

  /** Resolves when everything appended before is on disk. Calls during a write share the next one. */
  sync(): Promise<void> {
    if (this.#inFlight === undefined) return this.#start();
    this.#next ??= this.#inFlight.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  /** All before the last file are sealed: nothing of them is needed any more. Returns them. */
  dropSealed(): Promise<readonly string[]> {
    return this.#drop(this.#segments.length - 1);
  }

  /** Nothing that was appended is needed any more. Returns the files. */
  dropAll(): Promise<readonly string[]> {
    return this.#drop(this.#segments.length);
  }

  async #drop(count: number): Promise<readonly string[]> {
    const dropped = this.#segments.splice(0, count);
    for (const segment of dropped) await segment.open?.close();
    return dropped.map(({ file }) => file);
  }

  async close(): Promise<void> {
    for (const segment of this.#segments.splice(0)) await segment.open?.close();
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const writing = this.#write().finally(() => {
      this.#inFlight = undefined;
    });
    this.#inFlight = writing;
    return writing;
  }

  async #write(): Promise<void> {
    for (const segment of this.#segments.slice()) {
      const bytes = segment.buffer.take();
      if (bytes.length === 0) continue;
      try {
        segment.open ??= await this.#disk.open(segment.file);
        await segment.open.write(bytes, segment.written);
        segment.written += bytes.length;
        segment.buffer.release();
      } catch (cause) {
        // Nothing is known about what reached the disk: the same bytes are written again to the same place, by a new handle.
        segment.buffer.putBack();
        const broken = segment.open;
        segment.open = undefined;
        await broken?.close().catch(() => undefined);
        throw cause;
      }
    }
  }
}

/** Two buffers in turn: one is filled while the other is written. */
class GrowingBuffer {
  #filling: Uint8Array;
  #view: DataView;
  #length = 0;
  #spare: Uint8Array | undefined;
  #taken: Uint8Array = new Uint8Array(0);

  constructor(size: number) {
    this.#filling = new Uint8Array(size);
    this.#view = new DataView(this.#filling.buffer);
  }

  get length(): number {
    return this.#length + this.#taken.length;
  }

  append(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    this.#filling.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A view of so many new bytes. */
  reserve(length: number): DataView {
    this.#makeRoom(length);
    const view = new DataView(this.#view.buffer, this.#length, length);
    this.#length += length;
    return view;
  }

  take(): Uint8Array {
    this.#taken = this.#filling.subarray(0, this.#length);
    this.#use(this.#spare ?? new Uint8Array(FIRST_BYTES), 0);
    this.#spare = undefined;
    return this.#taken;
  }

  /** What was taken is on disk. */
  release(): void {
    this.#spare = new Uint8Array(this.#taken.buffer);
    this.#taken = new Uint8Array(0);
  }

  /** What was taken stands again before what came meanwhile. */
  putBack(): void {
    const meanwhile = this.#filling.subarray(0, this.#length);
    const taken = this.#taken;
    this.#taken = new Uint8Array(0);
    this.#use(new Uint8Array(taken.buffer), taken.length);
    this.append(meanwhile);
  }

  #use(buffer: Uint8Array, length: number): void {
    this.#filling = buffer;
    this.#view = new DataView(buffer.buffer);
    this.#length = length;
  }

  #makeRoom(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#filling.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#filling.length * 2));
    grown.set(this.#filling.subarray(0, this.#length));
    this.#use(grown, this.#length);
  }
}

/** By callbacks: with a write for each small batch, the promises of file handles would be a good part of it. */
export const realDisk: LogDisk = {
  open: async (file) => {
    const handle = await openFile(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    syncDirectory(dirname(file));
    return { write: (bytes, position) => write(handle, bytes, position), close: () => closeFile(handle) };
  },
};

const openFile = promisify(open);
const closeFile = promisify(close);

function write(handle: number, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (done: number) => {
      fsWrite(handle, bytes, done, bytes.length - done, position + done, (error, written) => {
        if (error !== null) reject(error);
        else if (done + written < bytes.length) next(done + written);
        else fdatasync(handle, (failure) => (failure === null ? resolve() : reject(failure)));
      });
    };
    next(0);
  });
}
