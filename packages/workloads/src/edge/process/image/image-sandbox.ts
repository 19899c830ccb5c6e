/** What a container of an image sees, as bubblewrap options: its own root, devices and processes, and what its pod mounts. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ReadyMount, RuntimeRefusal } from '../../runtime.ts';
import { resolveInRoot } from './rooted.ts';

export interface ImageSandbox {
  /** What becomes the root, and the image's tree that it shows at first. */
  readonly root: string;
  readonly tree: string;
  readonly mounts: readonly ReadyMount[];
  readonly readOnlyRoot: boolean;
  readonly workingDirectory: string;
  readonly hostname?: string;
  readonly sharesPids: boolean;
  readonly sharesIpc: boolean;
  /** All devices of the node, and its /sys to write to. */
  readonly isPrivileged: boolean;
  /** Whom we are in there, where we are not root outside. */
  readonly asUser?: { readonly uid: number; readonly gid: number };
  /** Of the names without `cap_`; what is not named is gone. */
  readonly capabilities: readonly string[];
  /** Binds of the programs that drop privileges. */
  readonly tools: readonly string[];
}

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const DEVICE_LINKS: readonly (readonly [string, string])[] = [
  ['/proc/self/fd', '/dev/fd'],
  ['/proc/self/fd/0', '/dev/stdin'],
  ['/proc/self/fd/1', '/dev/stdout'],
  ['/proc/self/fd/2', '/dev/stderr'],
];
/** Of /proc: what root could change of the node, and what tells too much of it; not each kernel has all. */
const READ_ONLY_PROC = ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus', '/proc/fs'];
const HIDDEN_PROC = ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/proc/latency_stats'];
/** File systems of the kernel's, which no image brings. */
const KERNEL_PLACES = ['/dev', '/proc', '/sys'];

export function imageSandboxOptions(sandbox: ImageSandbox): string[] {
  const { root, readOnlyRoot, workingDirectory, tools } = sandbox;
  for (const place of KERNEL_PLACES) refuseStrange(sandbox.tree, place);
  const directory = placeOf(sandbox.tree, workingDirectory, []);
  return [
    ...namespaceOptions(sandbox),
    '--bind',
    root,
    '/',
    ...deviceOptions(sandbox),
    '--proc',
    '/proc',
    ...(sandbox.isPrivileged ? [] : maskOptions()),
    ...(sandbox.isPrivileged ? ['--dev-bind', '/sys', '/sys'] : ['--ro-bind', '/sys', '/sys']),
    ...tools,
    ...mountOptions(sandbox),
    ...madeDirectories(sandbox.tree, directory, sandbox.mounts),
    ...(readOnlyRoot ? ['--remount-ro', '/'] : []),
    '--chdir',
    directory,
    ...capabilityOptions(sandbox),
  ];
}

function namespaceOptions({ sharesPids, sharesIpc, hostname, asUser }: ImageSandbox): string[] {
  const isOther = asUser !== undefined && (asUser.uid !== 0 || asUser.gid !== 0);
  return [
    // The command is the first process, which ends all others with it, and which signals reach.
    ...(sharesPids ? [] : ['--unshare-pid', '--as-pid-1']),
    ...(sharesIpc ? [] : ['--unshare-ipc']),
    ...(hostname === undefined ? [] : ['--unshare-uts', '--hostname', hostname]),
    '--unshare-cgroup-try',
    ...(isOther ? ['--unshare-user', '--uid', String(asUser.uid), '--gid', String(asUser.gid)] : []),
  ];
}

/** bubblewrap's own /dev needs a user namespace more for anybody but root, into which no later command could follow. */
function deviceOptions({ isPrivileged, asUser }: ImageSandbox): string[] {
  const shm = ['--perms', '1777', '--tmpfs', '/dev/shm'];
  if (isPrivileged) return ['--dev-bind', '/dev', '/dev'];
  if (asUser === undefined || (asUser.uid === 0 && asUser.gid === 0)) return ['--dev', '/dev', ...shm];
  return [
    '--tmpfs',
    '/dev',
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...DEVICE_LINKS.flatMap(([target, at]) => ['--symlink', target, at]),
    ...shm,
  ];
}

function maskOptions(): string[] {
  return [
    ...READ_ONLY_PROC.flatMap((path) => ['--ro-bind-try', path, path]),
    ...HIDDEN_PROC.filter((path) => existsSync(path)).flatMap((path) => ['--ro-bind', '/dev/null', path]),
  ];
}

/** Outer ones first, so that inner ones are mounted into them. */
function mountOptions({ tree, mounts }: ImageSandbox): string[] {
  const placed: ReadyMount[] = [];
  const options: string[] = [];
  for (const mount of [...mounts].sort((one, other) => depth(one.mountPath) - depth(other.mountPath))) {
    const mountPath = placeOf(tree, mount.mountPath, placed);
    if (mountPath === '/') throw refuse('a volume cannot be mounted at /');
    options.push(...madeDirectories(tree, dirname(mountPath), placed));
    options.push(mount.readOnly ? '--ro-bind' : '--bind', mount.hostPath, mountPath);
    placed.push({ ...mount, mountPath });
  }
  return options;
}

/** Where a path of the container is: bubblewrap would follow links of the image, and of volumes, out of its own root. */
function placeOf(tree: string, path: string, placed: readonly ReadyMount[]): string {
  const outer = placed.findLast(({ mountPath }) => isInside(path, mountPath));
  if (outer !== undefined) {
    const found = resolveInRoot(outer.hostPath, path.slice(outer.mountPath.length));
    if (found === undefined) throw refuse(`${path} leads through a file`);
    return join(outer.mountPath, found.path);
  }
  if (KERNEL_PLACES.some((place) => isInside(path, place))) return join('/', path);
  const found = resolveInRoot(tree, path);
  if (found === undefined) throw refuse(`${path} leads through a file of the image`);
  return found.path;
}

/** Those that are missing, which bubblewrap would make itself, but closed to everyone except root. */
function madeDirectories(tree: string, directory: string, placed: readonly ReadyMount[]): string[] {
  if ([...placed.map(({ mountPath }) => mountPath), ...KERNEL_PLACES].some((place) => isWithin(directory, place))) {
    return [];
  }
  const missing = resolveInRoot(tree, directory)?.missing ?? 0;
  const steps = directory.split('/').filter(Boolean);
  return Array.from({ length: missing }, (_, index) => steps.slice(0, steps.length - missing + index + 1)).flatMap(
    (path) => ['--perms', '0755', '--dir', `/${path.join('/')}`],
  );
}

function refuseStrange(tree: string, place: string): void {
  const found = resolveInRoot(tree, place);
  if (found?.path === place && (found.stats === undefined || found.stats.isDirectory())) return;
  throw refuse(`${place} of the image is no directory`);
}

function capabilityOptions({ capabilities }: ImageSandbox): string[] {
  return ['--cap-drop', 'ALL', ...capabilities.flatMap((name) => ['--cap-add', `cap_${name}`])];
}

function isInside(path: string, directory: string): boolean {
  return path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || isInside(path, directory);
}

function depth(path: string): number {
  return path.split('/').filter(Boolean).length;
}

function refuse(message: string): RuntimeRefusal {
  return new RuntimeRefusal('CreateContainerConfigError', message);
}
