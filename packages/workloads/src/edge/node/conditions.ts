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

const MEMORY_AVAILABLE_MIN = 100 * 1024 * 1024;
const DISK_AVAILABLE_MIN = 0.1;
const INODES_FREE_MIN = 0.05;
const PIDS_FREE_MIN = 0.05;

/** `known` are the conditions as they stand: the time of the last transition is theirs while nothing changes. */
export function nodeConditions(
  host: HostUsage,
  ready: { readonly isReady: boolean; readonly message: string },
  known: readonly NodeCondition[],
  now: number,
): NodeCondition[] {
  const hasMemoryPressure = host.memoryAvailable < MEMORY_AVAILABLE_MIN;
  const hasDiskPressure =
    isBelow(host.diskAvailable, host.diskTotal, DISK_AVAILABLE_MIN) ||
    isBelow(host.inodesFree, host.inodesTotal, INODES_FREE_MIN);
  const hasPidPressure = isBelow(host.pidLimit - host.processes, host.pidLimit, PIDS_FREE_MIN);
  const facts: Omit<NodeCondition, 'lastHeartbeatTime' | 'lastTransitionTime'>[] = [
    pressure('MemoryPressure', hasMemoryPressure, 'InsufficientMemory', 'SufficientMemory', 'memory'),
    pressure('DiskPressure', hasDiskPressure, 'DiskPressure', 'NoDiskPressure', 'disk'),
    pressure('PIDPressure', hasPidPressure, 'InsufficientPID', 'SufficientPID', 'PID'),
    {
      type: 'Ready',
      status: ready.isReady ? 'True' : 'False',
      reason: ready.isReady ? 'KubeletReady' : 'KubeletNotReady',
      message: ready.message,
    },
  ];
  const time = seconds(now);
  return facts.map((fact) => {
    const before = known.find(({ type }) => type === fact.type);
    const since = before?.status === fact.status ? before.lastTransitionTime : undefined;
    return { ...fact, lastHeartbeatTime: time, lastTransitionTime: since ?? time };
  });
}

function pressure(
  type: string,
  isUnder: boolean,
  bad: string,
  good: string,
  what: string,
): Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'> {
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
