/** The manifests of a folder, one pod a file. */
import { watch } from 'node:fs';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

const MAX_MANIFESTS = 250;
const MAX_MANIFEST_BYTES = 1024 * 1024;

export interface ManifestFile {
  readonly file: string;
  /** What it holds, or why that is not known. */
  readonly content: { readonly value: unknown } | { readonly problem: string };
}

/** YAML or JSON. Hidden files and directories are passed over; a folder that is not there has none. */
export async function readManifests(folder: string): Promise<readonly ManifestFile[]> {
  const names = (await namesIn(folder)).filter((name) => !name.startsWith('.')).sort();
  const found: ManifestFile[] = [];
  for (const name of names.slice(0, MAX_MANIFESTS)) {
    const file = join(folder, name);
    const about = await stat(file).catch(() => undefined);
    if (about === undefined || !about.isFile()) continue;
    found.push({ file, content: await read(file, about.size) });
  }
  return found;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function read(file: string, size: number): Promise<ManifestFile['content']> {
  if (size > MAX_MANIFEST_BYTES) return { problem: `it has more than ${MAX_MANIFEST_BYTES} bytes` };
  try {
    // Loaded by nodes that have such a folder, and by no others.
    const { parse } = await import('yaml');
    return { value: parse(await readFile(file, 'utf8')) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** Calls `onChange` when something in the folder changes, as far as the system tells; whoever must know looks now and then as well. */
export async function watchFolder(folder: string, onChange: () => void, signal: AbortSignal): Promise<void> {
  const isThere = await lstat(folder).then(
    () => true,
    () => false,
  );
  if (!isThere || signal.aborted) return;
  const watcher = watch(folder, { signal }, onChange);
  watcher.on('error', () => watcher.close());
}
