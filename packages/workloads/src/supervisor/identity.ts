/** Processes as /proc shows them. A pid alone is never trusted: it is compared with its start time and the boot it belongs to. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { ProcessIdentity } from './protocol.ts';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

export function readBootId(file: string = BOOT_ID_FILE): string {
  return readFileSync(file, 'utf8').trim();
}

export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  readonly startTime: string;
  /** Time on a processor so far, in clock ticks. */
  readonly cpuTicks: number;
}

/** Undefined when there is no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = readProc(pid, 'stat');
  if (text === undefined) return undefined;
  // The name stands in parentheses and may itself hold spaces and parentheses: fields are counted from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    session: Number(fields[3]),
    startTime: fields[19] ?? '',
    cpuTicks: Number(fields[11]) + Number(fields[12]),
  };
}

/** Resident memory; 0 when the process is gone. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status') ?? '')?.[1] ?? 0) * 1024;
}

export function identify(pid: number, bootId: string): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat === undefined ? undefined : { pid, startTime: stat.startTime, bootId };
}

/** Whether exactly this process still runs; a zombie does not. */
export function isAlive(identity: ProcessIdentity, bootId: string): boolean {
  if (identity.bootId !== bootId) return false;
  const stat = readStat(identity.pid);
  return stat !== undefined && stat.startTime === identity.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** Sends a signal to this process, and to no other that may have got its pid. False when it is gone. */
export function signalProcess(identity: ProcessIdentity, bootId: string, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity, bootId)) return false;
  return sendSignal(identity.pid, signal);
}

export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

export function listProcesses(): ProcessStat[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => readStat(Number(pid))).filter((stat) => stat !== undefined);
}

/** The process and all that descend from it, parents first. */
export function descendantsOf(pid: number, processes: readonly ProcessStat[] = listProcesses()): number[] {
  const found = [pid];
  for (let index = 0; index < found.length; index++) {
    const parent = found[index];
    for (const stat of processes) if (stat.parent === parent && !found.includes(stat.pid)) found.push(stat.pid);
  }
  return found;
}

/** A mount namespace held open, so that the kernel cannot give its number to another one. */
export interface PinnedNamespace {
  readonly name: string;
  release(): void;
}

/** Undefined when the process is gone or not ours to look at. */
export function pinMountNamespace(pid: number): PinnedNamespace | undefined {
  try {
    const fd = openSync(`/proc/${pid}/ns/mnt`, 'r');
    return { name: readlinkSync(`/proc/self/fd/${fd}`), release: () => closeSync(fd) };
  } catch {
    return undefined;
  }
}

/** The name of a process's mount namespace, such as `mnt:[4026532177]`. */
export function mountNamespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** The process itself, or the first of its descendants that is in a mount namespace of its own: behind what made its terminal. */
export function sandboxedPid(pid: number): number {
  const outside = mountNamespaceOf(process.pid);
  const isInside = (one: number) => ![undefined, outside].includes(mountNamespaceOf(one));
  return isInside(pid) ? pid : (descendantsOf(pid).findLast(isInside) ?? pid);
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
