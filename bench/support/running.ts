/** Memory and processor time of processes that run, as the kernel accounts them. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Memory {
  readonly rssMb: number;
  /** Shared pages counted by their share among all that run here, which are more than on an edge node. */
  readonly pssMb: number;
  /** The same on a node whose only processes of Node.js are the agent and the supervisor: each bears half of Node's program. */
  readonly nodePssMb: number;
  /** What nobody shares: what ending the process would free. */
  readonly privateMb: number;
}

export function memoryOf(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mb = (...fields: readonly string[]) =>
    fields.reduce((sum, field) => sum + Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0), 0) /
    1024;
  const rssMb = mb('Rss');
  const privateMb = mb('Private_Clean', 'Private_Dirty');
  return { rssMb, pssMb: mb('Pss'), nodePssMb: privateMb + (rssMb - privateMb) / 2, privateMb };
}

/** Seconds of one core, in user and kernel mode. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The supervisor that looks after the pods of the agent with this data directory. */
export function supervisorIn(dataDir: string): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const command = commandLine(Number(entry));
    if (command.some((word) => word.endsWith('supervisor.cjs')) && command.some((word) => word.startsWith(dataDir))) {
      return Number(entry);
    }
  }
  throw new Error(`no supervisor in ${dataDir}`);
}

function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
