/** Files that streams, tables and sinks name: in one folder of the node, and nowhere else. */
import { readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';

/** A name that leads out of the folder. */
class OutsideFolder extends Error {
  override readonly name = 'OutsideFolder';
}

/** Also what a link within the folder leads to must be in it. Throws an OutsideFolder. */
export function pathIn(folder: string, path: string): string {
  const joined = join(folder, path);
  if (!isWithin(folder, joined)) throw new OutsideFolder(`${path} is outside of the folder of streams' files`);
  if (!isWithin(resolved(folder), resolved(joined)))
    throw new OutsideFolder(`${path} leads out of the folder of streams' files`);
  return joined;
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`);
}

/** Where it is, or would be: what of it there is not yet follows the nearest directory that there is. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const parent = dirname(path);
    // A link to what is not there yet leads to wherever that will be.
    const link = linkIn(path);
    if (link !== undefined) {
      if (isCircle(error)) throw error;
      return resolved(resolve(resolved(parent), link));
    }
    return parent === path ? path : join(resolved(parent), basename(path));
  }
}

function isCircle(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ELOOP';
}

function linkIn(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
