/** The part of a volume that a mount shows: found or made, and never out of the volume. */
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expand } from '../pod/expand.ts';
import type { VolumeMount } from '../pod/types.ts';
import { RuntimeRefusal } from '../runtime.ts';
import { type Ownership, volumePath } from './atomic-directory.ts';

/** Permissions and the bit by which what is made inside has the directory's group. */
const MODE_BITS = 0o2777;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
const MAX_SMALL_FILE_BYTES = 64 * 1024;

/** Empty: the whole volume. Throws RuntimeRefusal for an expression with a variable that the container does not have. */
export function subPathOf(mount: VolumeMount, env: Readonly<Record<string, string>>): string {
  const { subPath = '', subPathExpr = '' } = mount;
  if (subPathExpr === '') return subPath;
  return expand(subPathExpr, (name) => {
    const value = env[name];
    if (value === undefined) throw refusal(`subPathExpr ${JSON.stringify(subPathExpr)}: missing value for "${name}"`);
    return value;
  });
}

/** Links in the volume are followed, but never out of it. What is missing becomes a directory as open as the volume itself. */
export async function openSubPath(volume: string, subPath: string, owner?: Ownership): Promise<string> {
  const safe = volumePath(subPath);
  if (safe === undefined) throw refusal(`subPath ${JSON.stringify(subPath)} leaves the volume`);
  const root = await realpath(volume);
  const { found, missing } = await deepest(join(root, safe));
  if (found !== root && !found.startsWith(`${root}/`)) {
    throw refusal(`subPath ${JSON.stringify(subPath)} leads out of the volume`);
  }
  const { mode } = await stat(root);
  await makeDirectories(found, missing, { mode: mode & MODE_BITS, ...(owner === undefined ? {} : { owner }) });
  return join(found, ...missing);
}

/** A second name for a file, by which it stays when the first goes. A directory can have none, and is given back itself. */
export async function holdFile(path: string, holder: string): Promise<string> {
  if (!(await stat(path)).isFile()) return path;
  await mkdir(dirname(holder), { recursive: true, mode: 0o700 });
  await rm(holder, { force: true });
  await link(path, holder);
  return holder;
}

/** Undefined for what is missing, no file, too large or outside of the volume: a container decides what is there. */
export async function readSmallFile(volume: string, path: string): Promise<string | undefined> {
  const safe = volumePath(path);
  if (safe === undefined) return undefined;
  const root = await realpath(volume);
  const found = await realpath(join(root, safe)).catch(() => undefined);
  if (found === undefined || !found.startsWith(`${root}/`)) return undefined;
  await using file = await open(found, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const stats = await file.stat();
  if (!stats.isFile() || stats.size > MAX_SMALL_FILE_BYTES) return undefined;
  return file.readFile('utf8');
}

/** What exists of a path, without links, and the steps from there. */
async function deepest(path: string): Promise<{ readonly found: string; readonly missing: readonly string[] }> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    const found = await realpath(at).catch(() => undefined);
    if (found !== undefined) return { found, missing };
    missing.unshift(basename(at));
  }
}

interface Made {
  readonly mode: number;
  readonly owner?: Ownership;
}

/** Step by step through open directories: whoever swaps one for a link meanwhile leads nobody anywhere. */
async function makeDirectories(start: string, names: readonly string[], made: Made): Promise<void> {
  if (names.length === 0) return;
  let at = await openDirectory(start);
  try {
    for (const name of names) {
      const next = await makeDirectory(`/proc/self/fd/${at.fd}/${name}`, made);
      await at.close();
      at = next;
    }
  } finally {
    await at.close();
  }
}

async function makeDirectory(path: string, { mode, owner }: Made): Promise<FileHandle> {
  const isNew = await mkdir(path).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    },
  );
  const directory = await openDirectory(path);
  if (!isNew) return directory;
  if (owner !== undefined) await directory.chown(owner.uid, owner.gid);
  await directory.chmod(mode);
  return directory;
}

async function openDirectory(path: string): Promise<FileHandle> {
  try {
    return await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    throw refusal('subPath leads through what is no directory', { cause: error });
  }
}

function refusal(message: string, options?: ErrorOptions): RuntimeRefusal {
  return new RuntimeRefusal('CreateContainerConfigError', message, options);
}
