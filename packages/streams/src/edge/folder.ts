/** Files that streams, tables and sinks name: in one folder of the node, and nowhere else. */
import { realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

/** A name that leads out of the folder. */
class OutsideFolder extends Error {
  override readonly name = 'OutsideFolder';
}

/** Also what a link within the folder leads to must be in it. Throws an OutsideFolder. */
export function pathIn(folder: string, path: string): string {
  const joined = join(folder, path);
  if (!isWithin(folder, joined)) throw new OutsideFolder(`${path} is outside of the folder of streams' files`);
  const base = resolved(folder);
  const real = resolved(joined) ?? joinUp(resolved(dirname(joined)), joined);
  if (base !== undefined && real !== undefined && !isWithin(base, real))
    throw new OutsideFolder(`${path} leads out of the folder of streams' files`);
  return joined;
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`);
}

/** Undefined when nothing is there. */
function resolved(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function joinUp(parent: string | undefined, path: string): string | undefined {
  return parent === undefined ? undefined : join(parent, path.slice(dirname(path).length));
}
