/** Control groups, v1 and v2: one group a process tree, which bounds it, counts it, and holds it together for the kill. */
import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceLimits, Usage } from './protocol.ts';

const CPU_PERIOD_US = 100_000;
const V1_CONTROLLERS = ['memory', 'cpu', 'cpuacct', 'pids'] as const;
const V2_CONTROLLERS = '+memory +cpu +pids';

export interface Cgroups {
  readonly version: 'v1' | 'v2';
  create(id: string, limits: ResourceLimits): void;
  /** What is not bounded any more is unbounded. Throws when the kernel refuses, such as less memory than is in use. */
  limit(id: string, limits: ResourceLimits): void;
  place(id: string, pid: number): void;
  /** What `spawn` starts is in the group from its first instruction: this process steps in for that moment. */
  within<T>(id: string, spawn: () => T): T;
  processes(id: string): number[];
  /** Kills all at once where the kernel can; false when the caller must go through `processes`. */
  kill(id: string): boolean;
  isOutOfMemory(id: string): boolean;
  usage(id: string): Usage | undefined;
  remove(id: string): void;
  /** Removes our subtree if nothing is left in it. */
  close(): void;
}

/** Undefined where this user may not make groups. `root` is /sys/fs/cgroup; `parent` names our subtree. */
export function openCgroups(root: string, parent: string): Cgroups | undefined {
  try {
    return isFile(join(root, 'cgroup.controllers')) ? openV2(root, parent) : openV1(root, parent);
  } catch {
    return undefined;
  }
}

/** One group as a launch needs it; without control groups nothing is placed anywhere. */
export function groupOf(
  cgroups: Cgroups | undefined,
  id: string,
): { place(pid: number): void; within<T>(spawn: () => T): T } {
  return {
    place: (pid) => cgroups?.place(id, pid),
    within: (spawn) => (cgroups === undefined ? spawn() : cgroups.within(id, spawn)),
  };
}

function openV1(root: string, parent: string): Cgroups | undefined {
  const mounted = V1_CONTROLLERS.filter((name) => isFile(join(root, name, 'cgroup.procs')));
  if (!mounted.includes('memory')) return undefined;
  for (const name of mounted) {
    mkdirSync(join(root, name, parent), { recursive: true });
    accessSync(join(root, name, parent), constants.W_OK);
  }
  const at = (controller: string, id: string, file = '') => join(root, controller, parent, id, file);
  const place = (id: string, pid: number) => {
    for (const name of mounted) writeFileSync(at(name, id, 'cgroup.procs'), String(pid));
  };
  const write = (id: string, settings: readonly V1Setting[]) => {
    for (const [name, file, value] of settings) {
      if (mounted.includes(name)) writeFileSync(at(name, id, file), value);
    }
  };
  const homes = mounted.map((name) => join(root, name, ownGroup(name) ?? '', 'cgroup.procs'));
  return {
    version: 'v1',
    create: (id, limits) => {
      for (const name of mounted) mkdirSync(at(name, id), { recursive: true });
      write(id, v1Settings(limits));
    },
    limit: (id, limits) => {
      const unbounded = V1_UNBOUNDED.filter(([name]) => limits[name] === undefined).map(([, setting]) => setting);
      write(id, [...unbounded, ...v1Settings(limits)]);
    },
    place,
    within: (id, spawn) => stepIn(() => place(id, process.pid), homes, spawn),
    processes: (id) => readNumbers(at('memory', id, 'cgroup.procs')),
    kill: () => false,
    isOutOfMemory: (id) => readField(at('memory', id, 'memory.oom_control'), 'oom_kill') > 0,
    usage: (id) => {
      const memory = readNumber(at('memory', id, 'memory.usage_in_bytes'));
      if (memory === undefined) return undefined;
      const inactive = readField(at('memory', id, 'memory.stat'), 'total_inactive_file');
      return {
        id,
        memoryBytes: memory,
        workingSetBytes: Math.max(0, memory - inactive),
        cpuNanoseconds: readNumber(at('cpuacct', id, 'cpuacct.usage')) ?? 0,
        processes: readNumbers(at('memory', id, 'cgroup.procs')).length,
      };
    },
    remove: (id) => {
      for (const name of mounted) removeGroup(at(name, id));
    },
    close: () => {
      for (const name of mounted) removeGroup(join(root, name, parent));
    },
  };
}

type V1Setting = readonly [controller: (typeof V1_CONTROLLERS)[number], file: string, value: string];

const V1_UNBOUNDED: readonly (readonly [limit: keyof ResourceLimits, setting: V1Setting])[] = [
  ['memoryBytes', ['memory', 'memory.limit_in_bytes', '-1']],
  ['cpuMillis', ['cpu', 'cpu.cfs_quota_us', '-1']],
];

function v1Settings(limits: ResourceLimits): V1Setting[] {
  const settings: V1Setting[] = [];
  if (limits.memoryBytes !== undefined) settings.push(['memory', 'memory.limit_in_bytes', String(limits.memoryBytes)]);
  if (limits.cpuMillis !== undefined) {
    settings.push(['cpu', 'cpu.cfs_period_us', String(CPU_PERIOD_US)]);
    settings.push(['cpu', 'cpu.cfs_quota_us', String(cpuQuota(limits.cpuMillis))]);
  }
  if (limits.cpuShareMillis !== undefined) {
    settings.push(['cpu', 'cpu.shares', String(cpuShares(limits.cpuShareMillis))]);
  }
  if (limits.pids !== undefined) settings.push(['pids', 'pids.max', String(limits.pids)]);
  return settings;
}

function openV2(root: string, parent: string): Cgroups | undefined {
  const base = v2Base(root, parent);
  if (base === undefined) return undefined;
  const at = (id: string, file = '') => join(base, id, file);
  const place = (id: string, pid: number) => writeFileSync(at(id, 'cgroup.procs'), String(pid));
  const home = join(root, ownGroup('') ?? '', 'cgroup.procs');
  return {
    version: 'v2',
    create: (id, limits) => {
      mkdirSync(at(id), { recursive: true });
      for (const [file, value] of v2Settings(limits)) writeFileSync(at(id, file), value);
    },
    limit: (id, limits) => {
      const unbounded = V2_UNBOUNDED.filter(([, , name]) => limits[name] === undefined);
      for (const [file, value] of [...unbounded, ...v2Settings(limits)]) writeFileSync(at(id, file), value);
    },
    place,
    within: (id, spawn) => stepIn(() => place(id, process.pid), [home], spawn),
    processes: (id) => readNumbers(at(id, 'cgroup.procs')),
    kill: (id) => {
      if (!isFile(at(id, 'cgroup.kill'))) return false;
      writeFileSync(at(id, 'cgroup.kill'), '1');
      return true;
    },
    isOutOfMemory: (id) => readField(at(id, 'memory.events'), 'oom_kill') > 0,
    usage: (id) => {
      const memory = readNumber(at(id, 'memory.current'));
      if (memory === undefined) return undefined;
      const inactive = readField(at(id, 'memory.stat'), 'inactive_file');
      return {
        id,
        memoryBytes: memory,
        workingSetBytes: Math.max(0, memory - inactive),
        cpuNanoseconds: readField(at(id, 'cpu.stat'), 'usage_usec') * 1000,
        processes: readNumbers(at(id, 'cgroup.procs')).length,
      };
    },
    remove: (id) => removeGroup(at(id)),
    close: () => removeGroup(base),
  };
}

/**
 * As root our subtree hangs under the top, like a kubelet's. As a user it hangs in the delegated group we are in, from which
 * every process must first leave, since a group of v2 holds either processes or groups with limits.
 */
function v2Base(root: string, parent: string): string | undefined {
  const own = process.getuid?.() === 0 ? '' : ownGroup('');
  if (own === undefined) return undefined;
  const top = join(root, own);
  const base = join(top, parent);
  mkdirSync(base, { recursive: true });
  if (own !== '') {
    mkdirSync(join(top, 'supervisor'), { recursive: true });
    for (const pid of readNumbers(join(top, 'cgroup.procs'))) {
      writeFileSync(join(top, 'supervisor', 'cgroup.procs'), String(pid));
    }
  }
  const levels = parent.split('/').map((_, index, parts) => join(top, ...parts.slice(0, index + 1)));
  for (const level of [top, ...levels]) writeFileSync(join(level, 'cgroup.subtree_control'), V2_CONTROLLERS);
  return base;
}

/** The group this process is in, by controller; the empty name is v2. */
function ownGroup(controller: string): string | undefined {
  const lines = readText('/proc/self/cgroup').split('\n');
  const fields = lines.map((line) => line.split(':'));
  return fields.find(([, names = '']) => names.split(',').includes(controller))?.[2];
}

function stepIn<T>(enter: () => void, homes: readonly string[], spawn: () => T): T {
  try {
    enter();
    return spawn();
  } finally {
    for (const home of homes) writeFileSync(home, String(process.pid));
  }
}

const V2_UNBOUNDED: readonly (readonly [file: string, value: string, limit: keyof ResourceLimits])[] = [
  ['memory.max', 'max', 'memoryBytes'],
  ['cpu.max', 'max', 'cpuMillis'],
];

function v2Settings(limits: ResourceLimits): (readonly [file: string, value: string])[] {
  const settings: (readonly [string, string])[] = [];
  if (limits.memoryBytes !== undefined) {
    settings.push(['memory.max', String(limits.memoryBytes)]);
    settings.push(['memory.oom.group', '0']);
  }
  if (limits.cpuMillis !== undefined) settings.push(['cpu.max', `${cpuQuota(limits.cpuMillis)} ${CPU_PERIOD_US}`]);
  if (limits.cpuShareMillis !== undefined) {
    settings.push(['cpu.weight', String(cpuWeight(cpuShares(limits.cpuShareMillis)))]);
  }
  if (limits.pids !== undefined) settings.push(['pids.max', String(limits.pids)]);
  return settings;
}

/** Microseconds of each period; the kernel takes no less than a millisecond. */
function cpuQuota(millis: number): number {
  return Math.max(1000, Math.round((millis * CPU_PERIOD_US) / 1000));
}

function cpuShares(millis: number): number {
  return Math.min(262_144, Math.max(2, Math.round((millis * 1024) / 1000)));
}

/** Shares (2…262144) on the scale of weights (1…10000), as container runtimes convert them. */
function cpuWeight(shares: number): number {
  return Math.round(1 + ((shares - 2) * 9999) / 262_142);
}

function removeGroup(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Gone already, or a process is still leaving: the next start sweeps what is left.
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readNumber(path: string): number | undefined {
  const text = readText(path).trim();
  return text === '' ? undefined : Number(text);
}

function readNumbers(path: string): number[] {
  return readText(path).split('\n').filter(Boolean).map(Number);
}

function readField(path: string, name: string): number {
  const line = readText(path)
    .split('\n')
    .find((entry) => entry.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}
