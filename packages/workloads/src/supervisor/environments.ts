/**
 * The environments that running processes were started with. They may hold secrets: each is a file in memory, in a directory of the
 * supervisor's user alone, and goes with its process or, at the latest, with the boot. Where there is no such place, a supervisor knows
 * only those of its own time.
 */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readStat } from './identity.ts';
import type { ProcessIdentity } from './protocol.ts';

/** Without the boot: no file in memory outlives it. */
type Owner = Pick<ProcessIdentity, 'pid' | 'startTime'>;
type Environment = Readonly<Record<string, string>>;

interface Kept {
  readonly main: Owner;
  readonly env: Environment;
}

export interface EnvironmentStoreOptions {
  /** Whose processes they are: supervisors of one user share the directory. */
  readonly supervisor: string;
  readonly directory?: string;
}

/** Of a user. No container may see it. */
export function environmentDirectory(uid: number = process.geteuid?.() ?? 0): string {
  return `/dev/shm/skerry-env-${uid}`;
}

export class EnvironmentStore {
  /** Absent: there is no place that is ours alone. */
  readonly #prefix: string | undefined;

  /** Clears what is left of processes that ended after their supervisor had. */
  constructor({ supervisor, directory = environmentDirectory() }: EnvironmentStoreOptions) {
    if (!isMade(directory)) return;
    const name = createHash('sha256').update(supervisor).digest('hex').slice(0, 16);
    this.#prefix = join(directory, `${name}-`);
    for (const file of readdirSync(directory)) clear(join(directory, file));
  }

  write({ id, main }: { readonly id: string; readonly main: Owner }, env: Environment): void {
    if (this.#prefix === undefined) return;
    try {
      writeFileSync(`${this.#prefix}${id}`, JSON.stringify({ main, env } satisfies Kept), { mode: 0o600 });
    } catch {
      // The memory is full: the process itself has what it needs, and only a supervisor after this one would miss it.
      this.remove(id);
    }
  }

  /** Undefined when there is none. */
  read(id: string): Environment | undefined {
    return this.#prefix === undefined ? undefined : read(`${this.#prefix}${id}`)?.env;
  }

  remove(id: string): void {
    if (this.#prefix !== undefined) rmSync(`${this.#prefix}${id}`, { force: true });
  }
}

/** Everybody may make things in shared memory: what stands at our name and is not ours is not used, and goes if we may remove it. */
function isMade(directory: string): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch {
      // It is there, or there is no shared memory.
    }
    if (isOurs(directory)) return true;
    try {
      rmSync(directory, { recursive: true, force: true });
    } catch {
      return false;
    }
  }
  return false;
}

function isOurs(directory: string): boolean {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.geteuid?.() && (stat.mode & 0o077) === 0;
}

function clear(path: string): void {
  const kept = read(path);
  if (kept !== undefined && readStat(kept.main.pid)?.startTime === kept.main.startTime) return;
  rmSync(path, { recursive: true, force: true });
}

/** Undefined for what is half written. */
function read(path: string): Kept | undefined {
  try {
    const { main, env } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Kept>;
    return main === undefined || env === undefined ? undefined : { main, env };
  } catch {
    return undefined;
  }
}
