/** How much of a disk the files below a directory take. */
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

export interface DiskUsage {
  readonly bytes: number;
  readonly inodes: number;
}

const BLOCK_BYTES = 512;
/** Whoever has more files than this has used enough to be told apart from others. */
const MAX_ENTRIES = 200_000;

/**
 * As `du` counts: blocks, files with several names once, what is mounted elsewhere not at all. Files may come and go meanwhile.
 * What lies deeper than a path can name is not seen.
 */
export async function diskUsageOf(...roots: readonly string[]): Promise<DiskUsage> {
  const seen = new Set<string>();
  let [bytes, inodes] = [0, 0];
  // A list instead of recursion: a pod may nest its directories as deeply as it likes.
  const open: { readonly path: string; readonly device: number | undefined }[] = roots.map((path) => ({
    path,
    device: undefined,
  }));
  for (let next = open.pop(); next !== undefined && inodes < MAX_ENTRIES; next = open.pop()) {
    const { path, device } = next;
    const entry = await lstat(path).catch(() => undefined);
    if (entry === undefined || (device !== undefined && entry.dev !== device)) continue;
    if (entry.nlink > 1 && !entry.isDirectory()) {
      const id = `${entry.dev}:${entry.ino}`;
      if (seen.has(id)) continue;
      seen.add(id);
    }
    bytes += entry.blocks * BLOCK_BYTES;
    inodes++;
    if (!entry.isDirectory()) continue;
    for (const name of await namesIn(path, MAX_ENTRIES - inodes))
      open.push({ path: join(path, name), device: entry.dev });
  }
  return { bytes, inodes };
}

async function namesIn(path: string, limit: number): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(path)) {
      if (names.push(name) >= limit) break;
    }
  } catch {
    // Removed meanwhile, or not ours to read.
  }
  return names;
}
