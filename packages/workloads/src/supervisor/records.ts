/** Process records on disk, one directory a process. A record is replaced whole or not at all. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { EnvironmentStore } from './environments.ts';
import type { ProcessRecord, StartRequest } from './protocol.ts';

export interface StoredRecord extends ProcessRecord {
  readonly stdinOnce?: boolean;
  /**
   * How to start a further command beside it, with the environment as the start had it: what /proc shows of it, the process can change.
   * The environment may hold secrets, so it is on no disk: see environments.ts.
   */
  readonly launch: Pick<StartRequest, 'enter' | 'sandbox' | 'cwd' | 'owner' | 'join'> & {
    readonly prefix: readonly string[];
    /** Absent for what has ended. */
    readonly env?: StartRequest['env'];
  };
}

export class RecordStore {
  readonly #directory: string;
  readonly #environments: EnvironmentStore;

  constructor(directory: string, environments: EnvironmentStore) {
    this.#directory = directory;
    this.#environments = environments;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  directoryOf(id: string): string {
    return join(this.#directory, id);
  }

  makeDirectory(id: string): string {
    const directory = this.directoryOf(id);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return directory;
  }

  /** An exit is synced to the disk: it is told once and must outlive a power cut. A running process does not. */
  write(record: StoredRecord): void {
    const { env, ...launch } = record.launch;
    if (env === undefined) this.#environments.remove(record.id);
    else this.#environments.write(record, env);
    const path = join(this.directoryOf(record.id), 'record.json');
    const file = openSync(`${path}.new`, 'w', 0o600);
    try {
      writeFileSync(file, JSON.stringify({ ...record, launch }));
      if (record.exit !== undefined) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.new`, path);
  }

  /** Directories without a readable record are starts that were never told of: `onUnfinished` ends what is left of each. */
  readAll(onUnfinished: (id: string, directory: string) => void): StoredRecord[] {
    const records: StoredRecord[] = [];
    for (const id of readdirSync(this.#directory)) {
      const record = this.#read(id);
      if (record !== undefined) {
        records.push(record);
        continue;
      }
      onUnfinished(id, this.directoryOf(id));
      this.remove(id);
    }
    return records;
  }

  /** The exit code that bubblewrap's monitor left, and when. */
  readStatus(id: string): { readonly code: number; readonly finishedAt: number } | undefined {
    const path = join(this.directoryOf(id), 'status');
    try {
      const code = /"exit-code": (\d+)/.exec(readFileSync(path, 'utf8'))?.[1];
      return code === undefined ? undefined : { code: Number(code), finishedAt: Math.trunc(statSync(path).mtimeMs) };
    } catch {
      return undefined;
    }
  }

  remove(id: string): void {
    this.#environments.remove(id);
    rmSync(this.directoryOf(id), { recursive: true, force: true });
  }

  #read(id: string): StoredRecord | undefined {
    try {
      const record = JSON.parse(readFileSync(join(this.directoryOf(id), 'record.json'), 'utf8')) as StoredRecord;
      const env = record.exit === undefined ? this.#environments.read(id) : undefined;
      return env === undefined ? record : { ...record, launch: { ...record.launch, env } };
    } catch {
      return undefined;
    }
  }
}
