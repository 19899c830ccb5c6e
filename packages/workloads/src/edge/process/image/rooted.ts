/** Paths as somebody inside a root file system would follow them. What an image holds is never followed out of it. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';

/** As the kernel bounds it. */
const MAX_FOLLOWED_LINKS = 40;

export interface Resolved {
  /** From the root, without links in what exists of it. */
  readonly path: string;
  /** Of what is there; undefined when nothing is. */
  readonly stats: Stats | undefined;
  /** How many steps at the end of the path do not exist. */
  readonly missing: number;
}

/** Undefined when it cannot be followed: through a file, or in a circle. */
export function resolveInRoot(root: string, path: string): Resolved | undefined {
  const pending = stepsOf(path);
  let [at, followed, missing] = ['/', 0, 0];
  let stats: Stats | undefined = lstatIfThere(root);
  for (let step = pending.shift(); step !== undefined; step = pending.shift()) {
    if (step === '..') {
      at = dirname(at);
      missing = Math.max(0, missing - 1);
      stats = missing === 0 ? lstatIfThere(join(root, at)) : undefined;
      continue;
    }
    if (missing === 0 && stats?.isDirectory() !== true) return undefined;
    const next = join(at, step);
    const found = missing === 0 ? lstatIfThere(join(root, next)) : undefined;
    if (found?.isSymbolicLink() === true) {
      if (++followed > MAX_FOLLOWED_LINKS) return undefined;
      const target = readlinkSync(join(root, next));
      pending.unshift(...stepsOf(target));
      if (!target.startsWith('/')) continue;
      at = '/';
      stats = lstatIfThere(root);
      continue;
    }
    at = next;
    stats = found;
    if (found === undefined) missing++;
  }
  return { path: at, stats, missing };
}

/** The text of a file of the image, at most `limit` bytes of it; empty when there is no such file. */
export function readInRoot(root: string, path: string, limit: number): string {
  const found = resolveInRoot(root, path);
  if (found?.stats?.isFile() !== true) return '';
  const file = openSync(join(root, found.path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const bytes = Buffer.alloc(Math.min(limit, fstatSync(file).size));
    return bytes.toString('utf8', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function stepsOf(path: string): string[] {
  return path.split('/').filter((step) => step !== '' && step !== '.');
}

function lstatIfThere(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
