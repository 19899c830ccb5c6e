/** What a container of an image sees, as bubblewrap options: its own root, devices and processes, and what its pod mounts. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ReadyMount, RuntimeRefusal } from '../../runtime.ts';
import { TOOLS_PLACE } from './inner-tools.ts';
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
/** What the programs that drop privileges are, and what they believe of the kernel. */
const RESERVED = [TOOLS_PLACE, '/proc'];

export function imageSandboxOptions(sandbox: ImageSandbox): string[] {
  const { root, readOnlyRoot, workingDirectory, tools } = sandbox;
  for (const place of KERNEL_PLACES) refuseStrange(sandbox.tree, place);
  const mounts = placeMounts(sandbox);
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
    ...mounts.flatMap((mount, index) => [
      ...madeDirectories(sandbox.tree, dirname(mount.mountPath), mounts.slice(0, index)),
      mount.readOnly ? '--ro-bind' : '--bind',
      mount.hostPath,
      mount.mountPath,
    ]),
    // Last, so that nothing of the pod's can lie above them: they run before privileges are dropped.
    ...tools,
    ...madeDirectories(sandbox.tree, inTree(sandbox.tree, workingDirectory), mounts),
    ...(readOnlyRoot ? ['--remount-ro', '/'] : []),
    '--chdir',
    join('/', workingDirectory),
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

/** Where they really are, outer ones first: bubblewrap would follow links of the image, and of volumes, out of its own root. */
function placeMounts({ tree, mounts }: ImageSandbox): readonly ReadyMount[] {
  const ordered = mounts
    .map((mount) => ({ ...mount, mountPath: inTree(tree, mount.mountPath) }))
    .sort((one, other) => depth(one.mountPath) - depth(other.mountPath));
  const placed: ReadyMount[] = [];
  for (const mount of ordered) {
    if (mount.mountPath === '/') throw refuse('a volume cannot be mounted at /');
    const outer = placed.findLast(({ mountPath }) => isInside(mount.mountPath, mountPath));
    const found = outer === undefined ? mount : { ...mount, mountPath: inVolume(outer, mount.mountPath) };
    refuseReserved(found.mountPath);
    placed.push(found);
  }
  return placed;
}

function refuseReserved(path: string): void {
  if (KERNEL_PLACES.includes(path) || RESERVED.some((place) => isWithin(path, place)))
    throw refuse(`a volume cannot be mounted at ${path}`);
}

function inTree(tree: string, path: string): string {
  const plain = join('/', path).replace(/(.)\/$/, '$1');
  if (KERNEL_PLACES.some((place) => isInside(plain, place))) return plain;
  const found = resolveInRoot(tree, plain);
  if (found === undefined) throw refuse(`${path} leads through a file of the image`);
  return found.path;
}

function inVolume({ hostPath, mountPath }: ReadyMount, path: string): string {
  const found = resolveInRoot(hostPath, path.slice(mountPath.length));
  if (found === undefined) throw refuse(`${path} leads through a file of its volume`);
  return join(mountPath, found.path);
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
