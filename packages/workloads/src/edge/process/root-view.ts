/** The host's directories, as the planner of mounts needs to see them. */
import { lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
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
  realPath: (path) => realpathSync(path),
  entries: (directory) => readdirSync(directory).flatMap((name) => entryOf(directory, name)),
};

function entryOf(directory: string, name: string): HostEntry[] {
  const path = join(directory, name);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return [stat.isSymbolicLink() ? { name, target: readlinkSync(path) } : { name }];
}
