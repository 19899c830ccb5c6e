/**
 * The backup file: a line that names the format, a line of JSON that says what follows, then the parts' bytes one after the other.
 * Every part has its size and SHA-256, so that a file that is cut or changed is known before anything is restored from it.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { cloudErrors } from '../errors.ts';

const FORMAT = 'skerry-backup/1';
/** A file of series has about 120 bytes there. */
const MAX_HEADER_BYTES = 4 * 1024 * 1024;

export interface ArchivePart {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

export interface ArchiveHeader {
  readonly createdAt: string;
  readonly version: string;
  readonly parts: readonly ArchivePart[];
}

/** A part on its way in: a file on disk, or bytes. */
export type PartSource =
  | { readonly name: string; readonly file: string }
  | { readonly name: string; readonly bytes: Uint8Array };

/** The archive as a stream; the files must not change meanwhile. */
export async function* writeArchive(
  facts: Omit<ArchiveHeader, 'parts'>,
  sources: readonly PartSource[],
): AsyncGenerator<Uint8Array> {
  const parts = await Promise.all(sources.map(describePart));
  yield Buffer.from(`${FORMAT}\n${JSON.stringify({ ...facts, parts })}\n`);
  for (const source of sources) {
    if ('bytes' in source) yield source.bytes;
    else yield* createReadStream(source.file) as AsyncIterable<Uint8Array>;
  }
}

async function describePart(source: PartSource): Promise<ArchivePart> {
  const { name } = source;
  if ('bytes' in source)
    return { name, size: source.bytes.length, sha256: createHash('sha256').update(source.bytes).digest('hex') };
  return { name, size: (await stat(source.file)).size, sha256: await digestOf(source.file) };
}

/** SHA-256 in hex. */
export async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

export interface Archive {
  readonly header: ArchiveHeader;
  /** Copies a part into a file, and fails when it is not what the header says. */
  extract(name: string, to: string): Promise<void>;
  read(name: string): Promise<Buffer | undefined>;
}

export async function openArchive(file: string): Promise<Archive> {
  const { header, begins } = await readHeader(file);
  const offsetOf = (name: string) => {
    let offset = begins;
    for (const part of header.parts) {
      if (part.name === name) return { offset, part };
      offset += part.size;
    }
    return undefined;
  };
  return {
    header,
    extract: async (name, to) => {
      const found = offsetOf(name);
      if (found === undefined) throw cloudErrors.NOT_A_BACKUP({ file, problem: `it has no ${name}` });
      const { offset, part } = found;
      if (part.size > 0)
        await pipeline(
          createReadStream(file, { start: offset, end: offset + part.size - 1 }),
          createWriteStream(to, { mode: 0o600, flush: true }),
        );
      const actual = await describePart({ name, file: to });
      if (actual.sha256 !== part.sha256) throw cloudErrors.NOT_A_BACKUP({ file, problem: `its ${name} is damaged` });
    },
    read: async (name) => {
      const found = offsetOf(name);
      if (found === undefined) return undefined;
      await using handle = await open(file);
      const bytes = Buffer.alloc(found.part.size);
      await handle.read(bytes, 0, bytes.length, found.offset);
      if (createHash('sha256').update(bytes).digest('hex') !== found.part.sha256) {
        throw cloudErrors.NOT_A_BACKUP({ file, problem: `its ${name} is damaged` });
      }
      return bytes;
    },
  };
}

async function readHeader(file: string): Promise<{ readonly header: ArchiveHeader; readonly begins: number }> {
  await using handle = await openToRead(file);
  const head = Buffer.alloc(MAX_HEADER_BYTES);
  const { bytesRead } = await handle.read(head, 0, MAX_HEADER_BYTES, 0);
  const first = head.indexOf('\n');
  const second = head.indexOf('\n', first + 1);
  if (first < 0 || second < 0 || second >= bytesRead || head.toString('utf8', 0, first) !== FORMAT) {
    throw cloudErrors.NOT_A_BACKUP({ file, problem: `it does not begin with ${FORMAT}` });
  }
  const header = parseHeader(head.toString('utf8', first + 1, second));
  if (header === undefined) throw cloudErrors.NOT_A_BACKUP({ file, problem: 'its header is damaged' });
  const expected = header.parts.reduce((sum, { size }) => sum + size, second + 1);
  const actual = (await handle.stat()).size;
  if (actual !== expected) throw cloudErrors.NOT_A_BACKUP({ file, problem: `it has ${actual} of ${expected} bytes` });
  return { header, begins: second + 1 };
}

async function openToRead(file: string): Promise<FileHandle> {
  try {
    return await open(file);
  } catch (cause) {
    throw cloudErrors.NOT_A_BACKUP({ file, problem: 'it cannot be read' }, { cause });
  }
}

/** Sizes are counted and allocated from, so each must be one. */
function parseHeader(text: string): ArchiveHeader | undefined {
  try {
    const header = JSON.parse(text) as ArchiveHeader;
    const isSound = header.parts.every(
      ({ name, size, sha256 }) =>
        typeof name === 'string' && typeof sha256 === 'string' && Number.isSafeInteger(size) && size >= 0,
    );
    return isSound ? header : undefined;
  } catch {
    return undefined;
  }
}
