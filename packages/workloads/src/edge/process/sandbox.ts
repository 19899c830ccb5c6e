/**
 * The container's view of the file system as bubblewrap options. The root is the host's own. Where a mount point does not exist
 * on the host, its parent becomes a fresh directory with the host's entries bound into it, so that nothing is ever made on the host.
 */
import { dirname, join, normalize, relative } from 'node:path';
import type { ReadyMount } from '../runtime.ts';
import { RuntimeRefusal } from '../runtime.ts';
import type { RootView } from './root-view.ts';

/** Past this, rebuilding a directory entry by entry would cost more than it is worth. */
const MAX_REBUILT_ENTRIES = 2000;

export interface SandboxRequest {
  readonly mounts: readonly ReadyMount[];
  readonly readOnlyRoot: boolean;
  /** Directories and files that no container may see: the agent's own. */
  readonly hidden: readonly string[];
  /** Nothing may be mounted at, above or below these. */
  readonly reserved?: readonly string[];
  readonly hostname?: string;
  readonly workingDirectory: string;
}

export function sandboxOptions(request: SandboxRequest, view: RootView): string[] {
  const mounts = request.mounts.map((mount) => ({ ...mount, mountPath: resolveTarget(mount.mountPath, view) }));
  refuseReserved(mounts, request.reserved ?? [], view);
  mounts.sort((a, b) => depth(a.mountPath) - depth(b.mountPath));
  const rebuilt = rebuiltDirectories(mounts, view);
  return [
    ...(request.hostname === undefined ? [] : ['--unshare-uts', '--hostname', request.hostname]),
    ...rootOptions(rebuilt, request.readOnlyRoot, view),
    ...request.hidden.flatMap((path) => hide(path, view)),
    ...mounts.flatMap(({ hostPath, mountPath, readOnly }) => [
      ...missingParents(mountPath, view).flatMap((directory) => ['--perms', '0755', '--dir', directory]),
      readOnly ? '--ro-bind' : '--bind',
      hostPath,
      mountPath,
    ]),
    ...(request.readOnlyRoot ? rebuilt.flatMap((directory) => ['--remount-ro', directory]) : []),
    '--chdir',
    request.workingDirectory,
  ];
}

function refuseReserved(mounts: readonly ReadyMount[], reserved: readonly string[], view: RootView): void {
  const places = reserved.map((place) => (view.kindOf(place) === undefined ? place : view.realPath(place)));
  for (const { mountPath } of mounts) {
    const place = [...places, ...reserved].find((one) => isWithin(one, mountPath) || isWithin(mountPath, one));
    if (place === undefined) continue;
    const message = `a volume cannot be mounted at ${mountPath}: programs of the node need ${place} before the pod's own starts`;
    throw new RuntimeRefusal('CreateContainerConfigError', message);
  }
}

function rootOptions(rebuilt: readonly string[], readOnly: boolean, view: RootView): string[] {
  const bind = readOnly ? '--ro-bind-try' : '--dev-bind-try';
  const options = rebuilt.includes('/') ? [] : [readOnly ? '--ro-bind' : '--dev-bind', '/', '/'];
  for (const directory of rebuilt) options.push(...rebuild(directory, bind, view));
  // Devices and processes stay as they are: a read-only bind would also forbid opening devices.
  if (readOnly) options.push('--dev-bind', '/dev', '/dev', '--bind', '/proc', '/proc');
  return options;
}

function rebuild(directory: string, bind: string, view: RootView): string[] {
  const entries = view.entries(directory);
  if (entries.length > MAX_REBUILT_ENTRIES) {
    throw new RuntimeRefusal(
      'CreateContainerConfigError',
      `a mount point in ${directory} has to exist on the node: the directory is too large to be rebuilt`,
    );
  }
  const mode = (view.kindOf(directory)?.mode ?? 0o755).toString(8).padStart(4, '0');
  const fresh = directory === '/' ? [] : ['--perms', mode, '--tmpfs', directory];
  const kept = entries.flatMap(({ name, target }) => {
    const path = join(directory, name);
    return target === undefined ? [bind, path, path] : ['--symlink', target, path];
  });
  return [...fresh, ...kept];
}

/** Directories of the host that lack the next step towards a mount point; those nearer to the root first. */
function rebuiltDirectories(mounts: readonly ReadyMount[], view: RootView): string[] {
  const found = new Set<string>();
  mounts.forEach(({ mountPath }, index) => {
    // Inside another volume, the mount point is made in that volume.
    if (mounts.slice(0, index).some((outer) => isInside(mountPath, outer.mountPath))) return;
    if (view.kindOf(mountPath) !== undefined) return;
    found.add(existingParent(mountPath, view));
  });
  return [...found].sort((a, b) => depth(a) - depth(b));
}

/** Follows the host's links in what exists of the path: bubblewrap would follow them out of its own root. */
function resolveTarget(mountPath: string, view: RootView): string {
  const path = normalize(`/${mountPath}`).replace(/(.)\/$/, '$1');
  if (path === '/') throw new RuntimeRefusal('CreateContainerConfigError', 'a volume cannot be mounted at /');
  if (view.kindOf(path) !== undefined) return view.realPath(path);
  const parent = existingParent(path, view);
  return join(view.realPath(parent), relative(parent, path));
}

function existingParent(path: string, view: RootView): string {
  let parent = dirname(path);
  while (parent !== '/' && view.kindOf(parent)?.isDirectory !== true) parent = dirname(parent);
  return parent;
}

/** Those bubblewrap would make itself, but closed to everyone except root. */
function missingParents(mountPath: string, view: RootView): string[] {
  const missing: string[] = [];
  for (let path = dirname(mountPath); view.kindOf(path) === undefined; path = dirname(path)) missing.unshift(path);
  return missing;
}

/** A directory looks empty, a file too. */
function hide(path: string, view: RootView): string[] {
  const kind = view.kindOf(path);
  if (kind === undefined) return [];
  const real = view.realPath(path);
  return kind.isDirectory ? ['--perms', '0700', '--tmpfs', real] : ['--ro-bind', '/dev/null', real];
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || isInside(path, directory);
}

function isInside(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

function depth(path: string): number {
  return path === '/' ? 0 : path.split('/').length;
}
