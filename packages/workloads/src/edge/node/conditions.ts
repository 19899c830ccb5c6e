/** The node's conditions from how much of it is used: the kubelet's thresholds. Pure. */
import type { HostUsage } from './host-usage.ts';

export interface NodeCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly lastHeartbeatTime?: string;
  readonly lastTransitionTime?: string;
  readonly reason?: string;
  readonly message?: string;
}

/** A condition before it is known since when it holds. */
export type NodeFact = Omit<NodeCondition, 'lastHeartbeatTime' | 'lastTransitionTime'>;

const MEMORY_AVAILABLE_MIN = 100 * 1024 * 1024;
const DISK_AVAILABLE_MIN = 0.1;
const INODES_FREE_MIN = 0.05;
const PIDS_FREE_MIN = 0.05;

/** `known` are the conditions as they stand: the time of the last transition is theirs while nothing changes. */
export function nodeConditions(
  host: HostUsage,
  ready: { readonly isReady: boolean; readonly message: string },
  more: readonly NodeFact[],
  known: readonly NodeCondition[],
  now: number,
): NodeCondition[] {
  const hasMemoryPressure = host.memoryAvailable < MEMORY_AVAILABLE_MIN;
  const hasDiskPressure =
    isBelow(host.diskAvailable, host.diskTotal, DISK_AVAILABLE_MIN) ||
    isBelow(host.inodesFree, host.inodesTotal, INODES_FREE_MIN);
  const hasPidPressure = isBelow(host.pidLimit - host.processes, host.pidLimit, PIDS_FREE_MIN);
  const facts: NodeFact[] = [
    pressure('MemoryPressure', hasMemoryPressure, 'InsufficientMemory', 'SufficientMemory', 'memory'),
    pressure('DiskPressure', hasDiskPressure, 'DiskPressure', 'NoDiskPressure', 'disk'),
    pressure('PIDPressure', hasPidPressure, 'InsufficientPID', 'SufficientPID', 'PID'),
    {
      type: 'Ready',
      status: ready.isReady ? 'True' : 'False',
      reason: ready.isReady ? 'KubeletReady' : 'KubeletNotReady',
      message: ready.message,
    },
    ...more,
  ];
  const time = seconds(now);
  return facts.map((fact) => {
    const before = known.find(({ type }) => type === fact.type);
    const since = before?.status === fact.status ? before.lastTransitionTime : undefined;
    return { ...fact, lastHeartbeatTime: time, lastTransitionTime: since ?? time };
  });
}

/**
 * By name: container runtimes that have come to this node, and those of them that are silent now. The node stays ready without
 * them, since processes run on. The condition is named as node-problem-detector names it.
 */
export function runtimeHealth(known: readonly string[], silent: readonly string[]): readonly NodeFact[] {
  const type = 'ContainerRuntimeUnhealthy';
  if (known.length === 0) return [];
  if (silent.length === 0) {
    return [{ type, status: 'False', reason: 'ContainerRuntimeIsHealthy', message: `${known.join(', ')} answers` }];
  }
  const message = `${silent.join(', ')} does not answer: its containers run on unwatched, and new pods wait or go elsewhere`;
  return [{ type, status: 'True', reason: 'ContainerRuntimeSilent', message }];
}

function pressure(type: string, isUnder: boolean, bad: string, good: string, what: string): NodeFact {
  const verb =
    what === 'memory' || what === 'PID'
      ? isUnder
        ? 'has insufficient'
        : 'has sufficient'
      : isUnder
        ? 'has'
        : 'has no';
  const tail = what === 'disk' ? 'disk pressure' : what === 'memory' ? 'memory available' : 'PID available';
  return { type, status: isUnder ? 'True' : 'False', reason: isUnder ? bad : good, message: `kubelet ${verb} ${tail}` };
}

function isBelow(free: number, total: number, least: number): boolean {
  return total > 0 && free / total < least;
}

function seconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
