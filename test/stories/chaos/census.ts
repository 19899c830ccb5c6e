/** What of a test's pods runs on this machine, whatever any API says: found by a mark in the environment of processes. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';

const MARK = 'SKERRY_CHAOS_RUN';
const POD_UID = 'SKERRY_CHAOS_POD';

/** For a container whose processes are to be found again. */
export function marks(run: string): readonly object[] {
  return [
    { name: MARK, value: run },
    { name: POD_UID, valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
  ];
}

export interface Marked {
  readonly pid: number;
  readonly podUid: string;
  /** The container's own first process, and not what keeps it or what it started. */
  readonly isMain: boolean;
  readonly command: string;
}

export function census(run: string): readonly Marked[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readMarked(Number(pid), run))
    .filter((marked) => marked !== undefined);
}

function readMarked(pid: number, run: string): Marked | undefined {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    if (!environment.includes(`${MARK}=${run}`)) return undefined;
    const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') === true) return undefined;
    const podUid = environment.find((entry) => entry.startsWith(`${POD_UID}=`))?.slice(POD_UID.length + 1) ?? '';
    const isMain = basename(program) === 'sh' && args[0] === '-c';
    return { pid, podUid, isMain, command: [program, ...args].join(' ').slice(0, 80) };
  } catch {
    // Ended meanwhile, or not ours to read.
    return undefined;
  }
}

export interface Footprint {
  readonly files: number;
  readonly residentMiB: number;
}

export function footprint(pid: number): Footprint {
  const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { files: readdirSync(`/proc/${pid}/fd`).length, residentMiB: Number(resident) / 1024 };
}

export function isAlive(pid: number): boolean {
  try {
    return statSync(`/proc/${pid}`).isDirectory();
  } catch {
    return false;
  }
}
