/** The host's directories, as the planner of mounts needs to see them. */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface HostEntry {
  readonly name: string;
  /** Set for a symbolic link. */
  readonly target?: string;
}

export interface RootView {
  /** Undefined when there is nothing at `path`. Links are followed. */
  kindOf(path: string): { readonly isDirectory: boolean; readonly mode: number } | undefined;
  realPath(path: string): string;
  entries(directory: string): readonly HostEntry[];
}

export const hostRoot: RootView = {
  kindOf: (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? undefined : { isDirectory: stat.isDirectory(), mode: stat.mode & 0o7777 };
  },
  // Not what Node makes of it by lstat and readlink: under an emulator with a root of its own the two speak of different trees.
  realPath: (path) => realpathSync.native(path),
  entries: (directory) =>
    readdirSync(directory)
      .filter((name) => directory !== '/dev' || !CONSOLE_OR_DISK.test(name))
      .flatMap((name) => entryOf(directory, name)),
};

/** Devices that come by the dozen and that no container has a use for; each bind costs a tenth of a millisecond. */
const CONSOLE_OR_DISK = /^(tty\d+|vcs[au]?\d*|loop\d+|ram\d+)$/;

/** Makes the default place of a container's last words on the host's own /dev, so that it need not be rebuilt for each start. */
export function makeTerminationPoint(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o644));
  } catch {
    // Not root: the directory is rebuilt then, which costs some milliseconds a start.
  }
}

function entryOf(directory: string, name: string): HostEntry[] {
  const path = join(directory, name);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return [stat.isSymbolicLink() ? { name, target: readlinkSync(path) } : { name }];
}
