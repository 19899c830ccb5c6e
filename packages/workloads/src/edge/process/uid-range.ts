/** A uid for each pod, the same one over restarts of the agent and the machine: files a pod wrote stay its own. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Far from people (1000…), subordinate ids (100000…) and what systemd hands out (up to 1879048191). */
export const FIRST_POD_UID = 1_900_000_000;
const POD_UIDS = 65_536;

export class UidRange {
  readonly #file: string;
  readonly #taken: Map<string, number>;
  #next = 0;

  constructor(file: string) {
    this.#file = file;
    this.#taken = new Map(Object.entries(readTable(file)));
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
      if (taken.has(offset)) continue;
      this.#next = offset + 1;
      return offset;
    }
    throw new RangeError(`all ${POD_UIDS} pod uids are taken`);
  }

  #save(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(this.#taken)), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function readTable(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
