/** Unpacks the layers of an image, in order, into one directory: decompressed, hashed and written as they are read. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Parser } from 'tar/parse';
import type { ReadEntry } from 'tar/read-entry';
import { Meter } from './bounds.ts';
import { LayerProblem, quote } from './entry-name.ts';
import type { LayerFile, UnpackJob } from './job.ts';
import { type LayerEntry, TreeWriter } from './tree-writer.ts';
import { decompressZstd, isZstd } from './zstd-frames.ts';

/** A layer that must not be unpacked; what stands in the directory is to be removed. */
export class RefusedLayer extends Error {
  override readonly name = 'RefusedLayer';
  readonly digest: string;

  constructor(digest: string, cause: Error) {
    super(cause.message, { cause });
    this.digest = digest;
  }
}

/** Names that do not fit, paths through files: the archive's fault and not the machine's. */
const FAULTS_OF_LAYERS = new Set(['ENAMETOOLONG', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENOTEMPTY', 'EMLINK']);
/** The parser decodes what it is given at once: long names are not to be cut. A multiple of a tar block. */
const PIECE_BYTES = 1024 * 1024;

/** Throws RefusedLayer, or what the file system throws. */
export async function unpackLayers({ layers, target, keepsOwners, bounds }: UnpackJob): Promise<void> {
  const meter = new Meter(bounds);
  const writer = new TreeWriter({ root: target, keepsOwners });
  for (const layer of layers) {
    try {
      await unpackLayer(layer, writer, meter);
    } catch (error) {
      if (!isFaultOfLayer(error)) throw error;
      throw new RefusedLayer(layer.digest, error);
    }
  }
}

async function unpackLayer({ path, diffId }: LayerFile, writer: TreeWriter, meter: Meter): Promise<void> {
  const { size, start } = await look(path);
  meter.beginLayer(size);
  const hash = createHash('sha256');
  const archive = new Archive(writer, meter);
  for await (const piece of inPieces(decompressed(path, start))) {
    meter.addBytes(piece.length);
    hash.update(piece);
    archive.write(piece);
  }
  archive.end();
  writer.endLayer();
  const actual = `sha256:${hash.digest('hex')}`;
  if (actual !== diffId) throw new LayerProblem(`its content hashes to ${actual}, and the image says ${diffId}`);
}

/** The parser hands on entries and their content while it is written to; the first thing that is wrong ends it. */
class Archive {
  readonly #parser = new Parser({ strict: false });
  #isFirst = true;
  #failure: Error | undefined;

  constructor(writer: TreeWriter, meter: Meter) {
    this.#parser.on('entry', (entry: ReadEntry) => this.#attempt(() => take(entry, writer, meter, this.#attempt)));
    this.#parser.on('ignoredEntry', ({ path, type }: ReadEntry) =>
      this.#fail(new LayerProblem(`${quote(path)} is of a kind (${type}) that images cannot have`)),
    );
    this.#parser.on('warn', (_code: string, message: string | Error) =>
      this.#fail(
        new LayerProblem(`it is no sound tar archive: ${message instanceof Error ? message.message : message}`),
      ),
    );
    this.#parser.on('error', (error: Error) => this.#fail(error));
  }

  write(piece: Buffer): void {
    // The parser would unpack another compression by itself, past our bounds.
    if (this.#isFirst && compressionOf(piece) !== 'none') throw new LayerProblem('it is compressed more than once');
    this.#isFirst = false;
    this.#attempt(() => void this.#parser.write(piece));
    if (this.#failure !== undefined) throw this.#failure;
  }

  end(): void {
    this.#attempt(() => void this.#parser.end());
    if (this.#failure !== undefined) throw this.#failure;
  }

  readonly #attempt = (work: () => void): void => {
    try {
      if (this.#failure === undefined) work();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  };

  #fail(error: Error): void {
    this.#failure ??= error;
  }
}

function take(entry: ReadEntry, writer: TreeWriter, meter: Meter, attempt: (work: () => void) => void): void {
  meter.addEntry();
  const sink = writer.add(entryOf(entry));
  if (sink === undefined) {
    entry.resume();
    return;
  }
  entry.on('data', (chunk: Buffer) => attempt(() => sink.write(chunk)));
  entry.on('end', () => attempt(() => sink.end()));
}

function entryOf(entry: ReadEntry): LayerEntry {
  const { path: name, type, mode = 0o644, uid = 0, gid = 0, mtime, linkpath: target = '' } = entry;
  const facts = { name, mode, uid, gid, modifiedAt: (mtime?.getTime() ?? 0) / 1000 };
  switch (type) {
    case 'File':
    case 'OldFile':
    case 'ContiguousFile':
      return { ...facts, kind: 'file' };
    case 'Directory':
    case 'GNUDumpDir':
      return { ...facts, kind: 'directory' };
    case 'SymbolicLink':
      return { ...facts, kind: 'symlink', target };
    case 'Link':
      return { ...facts, kind: 'hardlink', target };
    case 'CharacterDevice':
    case 'BlockDevice':
    case 'FIFO':
      return { ...facts, kind: 'device' };
    default:
      throw new LayerProblem(`${quote(name)} is of a kind (${type}) that images cannot have`);
  }
}

type Compression = 'none' | 'gzip' | 'zstd';

/** By its first bytes: what manifests say of it is often wrong. */
function compressionOf(start: Buffer): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  return isZstd(start) ? 'zstd' : 'none';
}

async function look(path: string): Promise<{ readonly size: number; readonly start: Buffer }> {
  const file = await open(path, 'r');
  try {
    const start = Buffer.alloc(4);
    await file.read(start, 0, start.length, 0);
    return { size: (await file.stat()).size, start };
  } finally {
    await file.close();
  }
}

function decompressed(path: string, start: Buffer): Readable {
  const compression = compressionOf(start);
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  if (compression === 'none') return file;
  if (compression === 'zstd') return decompressZstd(file);
  // Whoever reads hears of a failure by the stream itself.
  return pipeline(file, createGunzip(), () => {});
}

/** All of the same size but the last. */
async function* inPieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let piece = Buffer.allocUnsafe(PIECE_BYTES);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(piece, filled, at);
      at += copied;
      filled += copied;
      if (filled < PIECE_BYTES) continue;
      yield piece;
      piece = Buffer.allocUnsafe(PIECE_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

function isFaultOfLayer(error: unknown): error is Error {
  if (error instanceof LayerProblem) return true;
  const { code = '' } = error as NodeJS.ErrnoException;
  return FAULTS_OF_LAYERS.has(code) || code.startsWith('Z_') || code.startsWith('ZSTD_') || code.startsWith('TAR_');
}
