/** Finds processes by the pipe they write to: what is left of a start whose record was never written. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { listProcesses, sendSignal } from './identity.ts';

const MAX_ROUNDS = 50;

/** Ends all that hold a file of the directory open, and what those start meanwhile. */
export function killHolders(directory: string): number {
  const ended = new Set<number>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const pids = holdersOf(directory);
    if (pids.length === 0) break;
    for (const pid of pids) if (sendSignal(pid, 'SIGKILL')) ended.add(pid);
  }
  return ended.size;
}

function holdersOf(directory: string): number[] {
  const files = readdirSync(directory).map((name) => fileId(join(directory, name)));
  const wanted = new Set(files.filter((id) => id !== undefined));
  if (wanted.size === 0) return [];
  const isHolder = (pid: number) => openFiles(pid).some((file) => wanted.has(fileId(file) ?? ''));
  return listProcesses()
    .filter(({ pid, state }) => pid !== process.pid && state !== 'Z' && state !== 'X')
    .map(({ pid }) => pid)
    .filter(isHolder);
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
  } catch {
    // Gone, or not ours.
    return [];
  }
}

/** By number and not by path, which another mount namespace may show differently. */
function fileId(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    // Closed meanwhile, or not ours to look at.
    return undefined;
  }
}
