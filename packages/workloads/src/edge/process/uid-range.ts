/** A uid for each pod, the same one over restarts of the agent and the machine: files a pod wrote stay its own. */
import { randomInt } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type Logger, messageOf } from '@skerry/base';

/** Far from people (1000…), subordinate ids (100000…) and what systemd hands out (up to 1879048191). */
export const FIRST_POD_UID = 1_900_000_000;
const POD_UIDS = 65_536;

export class UidRange {
  readonly #file: string;
  readonly #taken: Map<string, number>;
  /** In use by pods of a table that was lost. */
  #avoided: ReadonlySet<number> = new Set();
  #next = 0;

  constructor(file: string, log?: Pick<Logger, 'error'>) {
    this.#file = file;
    this.#taken = new Map(Object.entries(this.#read(log)));
    for (const offset of this.#taken.values()) this.#next = Math.max(this.#next, offset + 1);
  }

  /** The uid of this pod, set aside on disk before it is used. */
  take(podUid: string): number {
    const known = this.#taken.get(podUid);
    if (known !== undefined) return FIRST_POD_UID + known;
    const offset = this.#free();
    this.#taken.set(podUid, offset);
    this.#save();
    return FIRST_POD_UID + offset;
  }

  release(podUid: string): void {
    if (this.#taken.delete(podUid)) this.#save();
  }

  /** The next one never used, so that a freed uid rests as long as possible; around once the end is reached. */
  #free(): number {
    const taken = new Set(this.#taken.values());
    for (let step = 0; step < POD_UIDS; step++) {
      const offset = (this.#next + step) % POD_UIDS;
      if (taken.has(offset) || this.#avoided.has(offset)) continue;
      this.#next = offset + 1;
      return offset;
    }
    throw new RangeError(`all ${POD_UIDS} pod uids are taken`);
  }

  #save(): void {
    const file = openSync(`${this.#file}.new`, 'w', 0o600);
    try {
      writeFileSync(file, JSON.stringify(Object.fromEntries(this.#taken)));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** A damaged table is set aside. What it held is unknown, so the new one begins far up, past what runs. */
  #read(log: Pick<Logger, 'error'> | undefined): Record<string, number> {
    try {
      return readTable(this.#file);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const aside = `${this.#file}.damaged`;
      renameSync(this.#file, aside);
      log?.error({ file: this.#file, aside, error: messageOf(error) }, 'table of pod uids is damaged; begun anew');
      this.#avoided = runningOffsets();
      this.#next = randomInt(POD_UIDS / 2, POD_UIDS);
      return {};
    }
  }
}

function readTable(file: string): Record<string, number> {
  try {
    const table: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isTable(table)) return table;
    throw new SyntaxError('not a table of pod uids');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

function isTable(value: unknown): value is Record<string, number> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((offset) => Number.isInteger(offset) && offset >= 0 && offset < POD_UIDS);
}

function runningOffsets(): Set<number> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const offsets = pids.map((pid) => (statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? 0) - FIRST_POD_UID);
  return new Set(offsets.filter((offset) => offset >= 0 && offset < POD_UIDS));
}
