/** How much history the log keeps: decided from counts and times alone. */
import type { Revision } from './contract.ts';

export interface RetentionPolicy {
  /** Never compact the newest so many writes, however old they are. */
  readonly minWrites: number;
  /** Never keep more than so many writes, however young they are. */
  readonly maxWrites: number;
  /** Between the two bounds, what is older than this goes. */
  readonly maxAgeMs: number;
}

export const DEFAULT_RETENTION: RetentionPolicy = { minWrites: 10_000, maxWrites: 100_000, maxAgeMs: 5 * 60_000 };

/** A mark is set at most this often, so that there are a few hundred of them. */
const MARK_WRITES = 500;
const MARK_AGE_MS = 1_000;

interface Mark {
  readonly revision: Revision;
  readonly writes: number;
  readonly at: number;
}

/** Remembers when the log had grown how far, and says up to which revision it may be compacted. */
export class Retention {
  readonly #policy: RetentionPolicy;
  #marks: Mark[] = [];
  #writes = 0;

  constructor(policy: RetentionPolicy) {
    this.#policy = policy;
  }

  /** Notes a commit of `writes` writes that count (coalesced ones do not) up to `revision`. */
  note(revision: Revision, writes: number, at: number): void {
    this.#writes += writes;
    const last = this.#marks.at(-1);
    if (last !== undefined && this.#writes - last.writes < MARK_WRITES && at - last.at < MARK_AGE_MS) return;
    // Nothing but coalesced writes since the last mark: moving it forward keeps the list of marks bounded by the writes that count.
    if (last?.writes === this.#writes) this.#marks.pop();
    this.#marks.push({ revision, writes: this.#writes, at });
  }

  /** The highest revision that the policy lets go, or 0. */
  floor(now: number): Revision {
    let floor = 0;
    while (this.#marks[0] !== undefined && this.#isDue(this.#marks[0], now)) floor = this.#marks.shift()?.revision ?? 0;
    return floor;
  }

  #isDue(mark: Mark, now: number): boolean {
    const since = this.#writes - mark.writes;
    return since > this.#policy.maxWrites || (since >= this.#policy.minWrites && now - mark.at > this.#policy.maxAgeMs);
  }
}
