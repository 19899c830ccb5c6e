/** What a pod uses of what a node may run short of, beside what it asked for. Pure. */
import { isStaticPod } from '../pod/static-pod.ts';
import type { Container, Pod } from '../pod/types.ts';
import { parseQuantity } from '../quantity.ts';
import type { Signal } from './thresholds.ts';

/** As in requests, limits and messages; the last two are nothing that anybody can ask for. */
export type Resource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

export const RESOURCE_OF: Readonly<Record<Signal, Resource>> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
};

/** Absent: nothing is known of it, which counts as nothing used. */
export type Used = Readonly<Partial<Record<Resource, number>>>;

export interface PodUsage {
  readonly pod: Pod;
  readonly total: Used;
  readonly containers: Readonly<Record<string, Used>>;
  /** By volume: bytes of its emptyDir volumes. */
  readonly emptyDirs: Readonly<Record<string, number>>;
}

/** A static pod, or one whose class says that the cluster cannot do without it: never ended for lack of something. */
export function isCritical(pod: Pod): boolean {
  return isStaticPod(pod) || (pod.spec.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY;
}

const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000;

export function isBestEffort({ spec }: Pod): boolean {
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  return all.every(({ resources = {} }) =>
    [resources.requests, resources.limits].every((list) =>
      ['cpu', 'memory'].every((name) => (parseQuantity(list?.[name] ?? 0) ?? 0) === 0),
    ),
  );
}

/** What the scheduler counted for the pod: what runs at once, or what an init container needs before. */
export function requestOf({ spec }: Pod, resource: Resource): number {
  if (resource === 'inodes' || resource === 'pids') return 0;
  const own = parseQuantity(spec.resources?.requests?.[resource] ?? '');
  if (own !== undefined) return own;
  const inits = spec.initContainers ?? [];
  const sidecars = sum(inits.filter(isSidecar), resource);
  const largestInit = Math.max(
    0,
    ...inits.filter((one) => !isSidecar(one)).map((one) => containerRequest(one, resource)),
  );
  return Math.max(sum(spec.containers, resource) + sidecars, largestInit + sidecars);
}

export function containerRequest({ resources = {} }: Container, resource: Resource): number {
  return parseQuantity(resources.requests?.[resource] ?? resources.limits?.[resource] ?? 0) ?? 0;
}

function sum(containers: readonly Container[], resource: Resource): number {
  return containers.reduce((total, one) => total + containerRequest(one, resource), 0);
}

function isSidecar({ restartPolicy }: Container): boolean {
  return restartPolicy === 'Always';
}
