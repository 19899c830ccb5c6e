/** Finds and ends everything a process has started, orphans included. */
import type { Clock } from '@skerry/base';
import type { Cgroups } from './cgroup.ts';
import {
  descendantsOf,
  listProcesses,
  mountNamespaceOf,
  type PinnedNamespace,
  type ProcessStat,
  readStat,
  residentBytes,
  sendSignal,
} from './identity.ts';
import type { ProcessIdentity, Usage } from './protocol.ts';

const KILL_ROUNDS = 200;
const KILL_PAUSE_MS = 5;
const NANOSECONDS_PER_TICK = 10_000_000;

export interface ProcessTree {
  readonly id: string;
  readonly main: ProcessIdentity;
  /** Of a sandboxed process: what was started in it cannot leave it unprivileged. Pinned, since numbers are reused at once. */
  readonly namespace?: PinnedNamespace;
}

/** Kills until nothing is left, bounded in time. Resolves with whether that was reached. */
export async function killTree(tree: ProcessTree, cgroups: Cgroups | undefined, clock: Clock): Promise<boolean> {
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const pids = membersOf(tree, cgroups);
    if (pids.length === 0) return true;
    if (cgroups?.kill(tree.id) !== true) for (const pid of pids) sendSignal(pid, 'SIGKILL');
    await clock.sleep(KILL_PAUSE_MS);
  }
  return false;
}

function membersOf(tree: ProcessTree, cgroups: Cgroups | undefined): number[] {
  if (cgroups !== undefined) return cgroups.processes(tree.id).filter(isRunning);
  return relativesOf(tree, listProcesses()).filter(isRunning);
}

/** Where there are no control groups: whoever descends from it, shares its session, or its mount namespace. */
function relativesOf(tree: ProcessTree, processes: readonly ProcessStat[]): number[] {
  const leader = processes.find((stat) => stat.pid === tree.main.pid);
  const isReused = leader !== undefined && leader.startTime !== tree.main.startTime;
  const members = new Set<number>(leader !== undefined && !isReused ? descendantsOf(tree.main.pid, processes) : []);
  for (const { pid, session } of processes) {
    if (session === tree.main.pid && !isReused) members.add(pid);
    if (tree.namespace !== undefined && mountNamespaceOf(pid) === tree.namespace.name) members.add(pid);
  }
  members.delete(process.pid);
  return [...members];
}

/** What the trees use now, added up from their processes: what ended processes used is not in it. */
export function measureTrees(trees: readonly ProcessTree[]): Usage[] {
  const processes = listProcesses();
  const ticks = new Map(processes.map(({ pid, cpuTicks }) => [pid, cpuTicks]));
  return trees.map((tree) => {
    const pids = relativesOf(tree, processes);
    const memoryBytes = pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
    const cpuTicks = pids.reduce((sum, pid) => sum + (ticks.get(pid) ?? 0), 0);
    const cpuNanoseconds = cpuTicks * NANOSECONDS_PER_TICK;
    return { id: tree.id, cpuNanoseconds, memoryBytes, workingSetBytes: memoryBytes, processes: pids.length };
  });
}

function isRunning(pid: number): boolean {
  const state = readStat(pid)?.state;
  return state !== undefined && state !== 'Z' && state !== 'X';
}
