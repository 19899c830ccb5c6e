/**
 * A directory whose files all change at the same instant, laid out as kubelets do: each visible name links to `..data/NAME`, and
 * `..data` is a link to a dated directory that is swapped by a rename. Programs watch `..data` and see all of old or all of new.
 */
import { chmod, chown, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';

export interface VolumeFile {
  readonly data: Uint8Array;
  readonly mode: number;
}

/** File contents by relative path. */
export type Payload = ReadonlyMap<string, VolumeFile>;

export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

const DATA = '..data';

/** A path that stays inside the volume and does not touch its machinery; undefined for any other. */
export function volumePath(path: string): string | undefined {
  const plain = normalize(path);
  if (plain.startsWith('/') || plain === '.' || plain.startsWith('..') || plain.includes('\0')) return undefined;
  return plain;
}

/** Writes what differs; resolves with whether anything did. */
export async function writeDirectory(directory: string, payload: Payload, owner?: Ownership): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const current = await currentVersion(directory);
  if (current !== undefined && (await holds(join(directory, current), payload))) return false;
  const version = `..${process.hrtime.bigint()}`;
  await writeVersion(join(directory, version), payload, owner);
  await symlink(version, join(directory, `${DATA}_tmp`));
  await rename(join(directory, `${DATA}_tmp`), join(directory, DATA));
  await linkNames(directory, payload);
  if (current !== undefined) await rm(join(directory, current), { recursive: true, force: true });
  return true;
}

async function currentVersion(directory: string): Promise<string | undefined> {
  try {
    return await readlink(join(directory, DATA));
  } catch {
    await rm(join(directory, `${DATA}_tmp`), { force: true });
    return undefined;
  }
}

async function holds(directory: string, payload: Payload): Promise<boolean> {
  try {
    const files = await readdir(directory, { recursive: true, withFileTypes: true });
    if (files.filter((entry) => entry.isFile()).length !== payload.size) return false;
    for (const [path, { data }] of payload) {
      if (!(await readFile(join(directory, path))).equals(data)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

async function writeVersion(directory: string, payload: Payload, owner: Ownership | undefined): Promise<void> {
  await mkdir(directory, { mode: 0o755 });
  for (const [path, { data, mode }] of payload) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, data, { mode: 0o600 });
    if (owner !== undefined) await chown(file, owner.uid, owner.gid);
    await chmod(file, mode);
  }
}

/** One link for each first step of a path; links to what is no longer there go. */
async function linkNames(directory: string, payload: Payload): Promise<void> {
  const wanted = new Set(Array.from(payload.keys(), (path) => path.split('/')[0] ?? path));
  for (const name of await readdir(directory)) {
    if (!name.startsWith('..') && !wanted.delete(name)) await rm(join(directory, name), { force: true });
  }
  for (const name of wanted) await symlink(join(DATA, name), join(directory, name));
}
