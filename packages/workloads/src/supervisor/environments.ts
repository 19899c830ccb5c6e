/**
 * The environments that running processes were started with. They may hold secrets: each is a file in memory that only the supervisor's
 * user can read, and that goes with its process or, at the latest, with the boot.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readStat } from './identity.ts';
import type { ProcessIdentity } from './protocol.ts';

const PREFIX = 'skerry-env-';

/** Without the boot: no file in memory outlives it. */
type Owner = Pick<ProcessIdentity, 'pid' | 'startTime'>;
type Environment = Readonly<Record<string, string>>;

interface Kept {
  readonly main: Owner;
  readonly env: Environment;
}

export interface EnvironmentStoreOptions {
  /** Whose processes they are: supervisors of one machine share the file system. */
  readonly supervisor: string;
  /** A file system in memory. */
  readonly directory?: string;
}

export class EnvironmentStore {
  readonly #prefix: string;

  /** Clears what is left of processes that ended after their supervisor had. */
  constructor({ supervisor, directory = '/dev/shm' }: EnvironmentStoreOptions) {
    const name = createHash('sha256').update(supervisor).digest('hex').slice(0, 16);
    this.#prefix = join(directory, `${PREFIX}${name}-`);
    for (const file of readdirSync(directory)) if (file.startsWith(PREFIX)) clear(join(directory, file));
  }

  write({ id, main }: { readonly id: string; readonly main: Owner }, env: Environment): void {
    this.remove(id);
    writeFileSync(this.#fileOf(id), JSON.stringify({ main, env } satisfies Kept), { mode: 0o600, flag: 'wx' });
  }

  /** Undefined when there is none, or none that can be read. */
  read(id: string): Environment | undefined {
    return read(this.#fileOf(id))?.env;
  }

  remove(id: string): void {
    rmSync(this.#fileOf(id), { force: true });
  }

  #fileOf(id: string): string {
    return `${this.#prefix}${id}`;
  }
}

function clear(path: string): void {
  const kept = read(path);
  if (kept === undefined || readStat(kept.main.pid)?.startTime === kept.main.startTime) return;
  rmSync(path, { force: true });
}

/** A file that is half written, or somebody else's, is as good as none. */
function read(path: string): Kept | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Kept;
  } catch {
    return undefined;
  }
}
