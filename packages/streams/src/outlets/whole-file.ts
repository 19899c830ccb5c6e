/** Files that others read while they are made: there whole or not at all, also after a loss of power. */
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What a file is called until it is whole. */
export const UNFINISHED = '.new';

/** The file is on disk, and so is its name. Resolves to its size. */
export async function writeWhole(
  directory: string,
  name: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<number> {
  const path = join(directory, name);
  const unfinished = `${path}${UNFINISHED}`;
  let bytes = 0;
  try {
    await using file = await open(unfinished, 'w', 0o644);
    for await (const piece of pieces) {
      await file.writeFile(piece);
      bytes += piece.length;
    }
    await file.sync();
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await rename(unfinished, path);
  await using folder = await open(directory);
  await folder.sync();
  return bytes;
}
