/** What the node has left, and what each of its pods uses. */
import { readdirSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { readHostUsage } from '../node/host-usage.ts';
import type { PodWorker } from '../pod/worker.ts';
import type { ContainerUsage, PodRuntime } from '../runtime.ts';
import type { RuntimeSet } from '../runtime-set.ts';
import { memoryDirectory } from '../volumes/pod-volumes.ts';
import { diskUsageOf } from './disk-usage.ts';
import type { PodUsage, Used } from './pod-usage.ts';
import type { Observation, Observations } from './pressure.ts';
import type { Signal } from './thresholds.ts';

export interface MeasuredNode {
  readonly runtimes: RuntimeSet;
  /** Its file system is the node's. */
  readonly directory: string;
  /** Holds the pods' directories. */
  readonly pods: string;
  readonly logs: string;
  /** Where /proc is looked for. */
  readonly root?: string;
}

export async function observeNode({ directory, root, runtimes }: MeasuredNode): Promise<Observations> {
  const host = readHostUsage(directory, root);
  const imageDisks = (await Promise.all(runtimes.serving.map(observeImages))).filter((one) => one !== undefined);
  const observed: [Signal, Observation | undefined][] = [
    ['memory.available', { available: host.memoryAvailable, capacity: host.memoryTotal }],
    ['nodefs.available', { available: host.diskAvailable, capacity: host.diskTotal }],
    ['nodefs.inodesFree', { available: host.inodesFree, capacity: host.inodesTotal }],
    ['imagefs.available', scarcest(imageDisks.map(({ bytes }) => bytes))],
    ['imagefs.inodesFree', scarcest(imageDisks.map(({ inodes }) => inodes))],
    ['pid.available', { available: host.pidLimit - host.processes, capacity: host.pidLimit }],
  ];
  return new Map(observed.filter((one): one is [Signal, Observation] => one[1] !== undefined));
}

/** A runtime that does not answer at the moment must not hide what else the node runs short of. */
async function observeImages(runtime: PodRuntime): Promise<ObservedDisk | undefined> {
  try {
    const directory = await runtime.imageDirectory?.();
    return directory === undefined ? undefined : await observeDisk(directory);
  } catch {
    return undefined;
  }
}

interface ObservedDisk {
  readonly bytes: Observation;
  readonly inodes: Observation;
}

async function observeDisk(path: string): Promise<ObservedDisk> {
  const { blocks, bavail, bsize, files, ffree } = await statfs(path);
  return {
    bytes: { available: bavail * bsize, capacity: blocks * bsize },
    inodes: { available: ffree, capacity: files },
  };
}

/** Runtimes may keep their images on different disks: the fullest counts. */
function scarcest(disks: readonly Observation[]): Observation | undefined {
  const left = ({ available, capacity }: Observation) => (capacity === 0 ? 1 : available / capacity);
  return disks.toSorted((one, other) => left(one) - left(other))[0];
}

export interface MeasureOptions {
  readonly withDisk: boolean;
  readonly withProcesses: boolean;
}

export async function measurePods(
  node: MeasuredNode,
  workers: readonly PodWorker[],
  { withDisk, withProcesses }: MeasureOptions,
): Promise<readonly PodUsage[]> {
  const lists = await Promise.all(node.runtimes.serving.map((runtime) => runtime.usage().catch(() => [])));
  const byId = new Map(lists.flat().map((one) => [one.id, one]));
  const processes = withProcesses ? countProcesses(node.root ?? '/', new Set(byId.keys())) : undefined;
  const measured: PodUsage[] = [];
  for (const worker of workers) {
    const containers: Record<string, Used> = {};
    for (const { container, current } of worker.entries) {
      const used = current === undefined ? undefined : byId.get(current.id);
      containers[container.name] = {
        ...(used === undefined ? {} : ofContainer(used, processes)),
        ...(withDisk ? await diskOfContainer(node, worker, container.name, used) : {}),
      };
    }
    measured.push(await withVolumes(node, worker, containers, withDisk));
  }
  return measured;
}

function ofContainer(usage: ContainerUsage, processes: ReadonlyMap<string, number> | undefined): Used {
  return { memory: usage.workingSetBytes, pids: usage.processes || (processes?.get(usage.id) ?? 0) };
}

async function diskOfContainer(
  { logs }: MeasuredNode,
  { pod: { metadata } }: PodWorker,
  container: string,
  used: ContainerUsage | undefined,
): Promise<Used> {
  const log = await diskUsageOf(join(logs, `${metadata.namespace}_${metadata.name}_${metadata.uid}`, container));
  return {
    'ephemeral-storage': log.bytes + (used?.diskBytes ?? 0),
    inodes: log.inodes + (used?.inodes ?? 0),
  };
}

async function withVolumes(
  { pods }: MeasuredNode,
  { pod, uid }: PodWorker,
  containers: Readonly<Record<string, Used>>,
  withDisk: boolean,
): Promise<PodUsage> {
  const emptyDirs: Record<string, number> = {};
  const onDisk: Used[] = [];
  for (const { name, emptyDir } of withDisk ? (pod.spec.volumes ?? []) : []) {
    if (emptyDir === undefined) continue;
    const inMemory = emptyDir.medium === 'Memory';
    const { bytes, inodes } = await diskUsageOf(
      inMemory ? join(memoryDirectory(uid), name) : join(pods, uid, 'volumes', name),
    );
    emptyDirs[name] = bytes;
    if (!inMemory) onDisk.push({ 'ephemeral-storage': bytes, inodes });
  }
  return { pod, containers, emptyDirs, total: sumOf([...Object.values(containers), ...onDisk]) };
}

function sumOf(parts: readonly Used[]): Used {
  const total: Partial<Record<keyof Used, number>> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part) as [keyof Used, number][])
      total[name] = (total[name] ?? 0) + value;
  }
  return total;
}

const CONTAINER_ID = /[0-9a-f]{64}|[0-9a-f]{32}/g;

/** Not every runtime counts them: the control group of each process names its container. */
function countProcesses(root: string, ids: ReadonlySet<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const pids = readdirSync(join(root, 'proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const id = new Set(readText(join(root, 'proc', pid, 'cgroup')).match(CONTAINER_ID))
      .values()
      .find((one) => ids.has(one));
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
