/** The files of one container log, and reading them across rotation: `0.log` is the newest, `0.log.1` the one before. */
import { existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Clock } from '@skerry/base';

const BLOCK_BYTES = 64 * 1024;
const FOLLOW_PAUSE_MS = 100;
const MAX_ROTATED = 100;
const NEWLINE = 0x0a;

/** Oldest first. */
function filesOf(path: string): string[] {
  const files = [path];
  for (let index = 1; index < MAX_ROTATED && existsSync(`${path}.${index}`); index++) files.unshift(`${path}.${index}`);
  return files.filter((file) => existsSync(file));
}

export interface ReadOptions {
  /** Only so many lines from the end of what there is. */
  readonly tailLines?: number;
  /** Go on until `isOver` says that nothing more will come. */
  readonly follow?: { readonly clock: Clock; readonly signal: AbortSignal; readonly isOver: () => boolean };
}

/** Whole lines, without their newlines, in blocks as they are read. */
export async function* readLines(path: string, options: ReadOptions): AsyncGenerator<string[]> {
  const files = filesOf(path);
  const start = options.tailLines === undefined ? { index: 0, offset: 0 } : await tailStart(files, options.tailLines);
  for (let index = start.index; index < files.length; index++) {
    const isLast = index === files.length - 1;
    const offset = index === start.index ? start.offset : 0;
    const file = files[index];
    if (file === undefined) continue;
    if (isLast && options.follow !== undefined) yield* followFrom(path, file, offset, options.follow);
    else {
      await using handle = await open(file, 'r');
      yield* linesFrom(handle, offset);
    }
  }
}

/** Reads to the end, waits for more, and goes over to the next file when this one was rotated away. */
async function* followFrom(
  path: string,
  first: string,
  offset: number,
  { clock, signal, isOver }: NonNullable<ReadOptions['follow']>,
): AsyncGenerator<string[]> {
  let handle = await open(first, 'r');
  try {
    const cursor = { offset, rest: Buffer.alloc(0) };
    while (!signal.aborted) {
      const wasOver = isOver();
      yield* readOn(handle, cursor);
      const next = await successorOf(handle, path);
      if (next !== undefined) {
        await handle.close();
        handle = await open(next, 'r');
        cursor.offset = 0;
        continue;
      }
      // What was written just before the end has been read in this round.
      if (wasOver) break;
      await clock.sleep(FOLLOW_PAUSE_MS, signal).catch(() => {});
    }
    if (cursor.rest.length > 0) yield [cursor.rest.toString('utf8')];
  } finally {
    await handle.close();
  }
}

interface Cursor {
  offset: number;
  rest: Buffer;
}

async function* linesFrom(handle: FileHandle, offset: number): AsyncGenerator<string[]> {
  const cursor: Cursor = { offset, rest: Buffer.alloc(0) };
  yield* readOn(handle, cursor);
  if (cursor.rest.length > 0) yield [cursor.rest.toString('utf8')];
}

async function* readOn(handle: FileHandle, cursor: Cursor): AsyncGenerator<string[]> {
  for (;;) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(BLOCK_BYTES), 0, BLOCK_BYTES, cursor.offset);
    if (bytesRead === 0) return;
    cursor.offset += bytesRead;
    const bytes = Buffer.concat([cursor.rest, buffer.subarray(0, bytesRead)]);
    const end = bytes.lastIndexOf(NEWLINE);
    cursor.rest = bytes.subarray(end + 1);
    if (end >= 0) yield bytes.toString('utf8', 0, end).split('\n');
  }
}

/** The file that followed the one that is open; undefined while it is the newest. */
async function successorOf(handle: FileHandle, path: string): Promise<string | undefined> {
  const { ino } = await handle.stat();
  let newer: string | undefined;
  for (let index = 0; index < MAX_ROTATED; index++) {
    const file = index === 0 ? path : `${path}.${index}`;
    const inode = await inodeOf(file);
    if (inode === ino) return newer;
    if (inode === undefined) return index === 0 ? undefined : newer;
    newer = file;
  }
  return newer;
}

async function inodeOf(file: string): Promise<number | undefined> {
  try {
    await using handle = await open(file, 'r');
    return (await handle.stat()).ino;
  } catch {
    return undefined;
  }
}

/** Where the last `lines` lines begin, looking backwards through as little as needed. */
async function tailStart(files: readonly string[], lines: number): Promise<{ index: number; offset: number }> {
  let missing = lines;
  for (let index = files.length - 1; index >= 0; index--) {
    await using handle = await open(files[index] ?? '', 'r');
    const found = await lineFromEnd(handle, missing);
    if (found.offset !== undefined) return { index, offset: found.offset };
    missing -= found.lines;
  }
  return { index: 0, offset: 0 };
}

async function lineFromEnd(handle: FileHandle, lines: number): Promise<{ offset?: number; lines: number }> {
  const { size } = await handle.stat();
  if (lines === 0) return { offset: size, lines: 0 };
  let seen = 0;
  // The newline at the very end closes the last line and begins none.
  for (let end = Math.max(0, size - 1); end > 0; ) {
    const begin = Math.max(0, end - BLOCK_BYTES);
    const { buffer } = await handle.read(Buffer.alloc(end - begin), 0, end - begin, begin);
    for (let at = buffer.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : buffer.lastIndexOf(NEWLINE, at - 1)) {
      if (++seen === lines) return { offset: begin + at + 1, lines: seen };
    }
    end = begin;
  }
  const whole = size === 0 ? 0 : seen + 1;
  return whole === lines ? { offset: 0, lines: whole } : { lines: whole };
}
