/** Moves what was committed from the write-ahead log into the file while nobody writes. */
import type { DatabaseSync } from 'node:sqlite';
import { type Clock, type Logger, messageOf, type Timer } from '@skerry/base';

/** So many commits are worth a checkpoint. SQLite does one in the midst of a commit after 1,000 pages, and one commit is some four. */
export const CHECKPOINT_COMMITS = 128;

/** Who has not written for so long is taken for idle. */
export const CHECKPOINT_IDLE_MS = 15;

export interface IdleCheckpointOptions {
  readonly database: DatabaseSync;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A checkpoint rewrites pages all over the file and syncs twice: whoever waits for a commit is not to wait for that too. */
export class IdleCheckpoint {
  readonly #options: IdleCheckpointOptions;
  #commits = 0;
  #lastCommitAt = 0;
  #timer: Timer | undefined;

  constructor(options: IdleCheckpointOptions) {
    this.#options = options;
  }

  /** Cheap. */
  onCommit(): void {
    if (++this.#commits < CHECKPOINT_COMMITS) return;
    this.#lastCommitAt = this.#options.clock.monotonic();
    if (this.#timer === undefined) this.#lookIn(CHECKPOINT_IDLE_MS);
  }

  close(): void {
    this.#timer?.cancel();
  }

  #lookIn(delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => this.#look(), { unref: true });
  }

  #look(): void {
    const { clock, database, log } = this.#options;
    const rest = this.#lastCommitAt + CHECKPOINT_IDLE_MS - clock.monotonic();
    if (rest > 0) {
      this.#lookIn(rest);
      return;
    }
    this.#timer = undefined;
    this.#commits = 0;
    try {
      database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch (error) {
      // Nothing is lost: the log still has it, and grows until the next one.
      log.warn({ error: messageOf(error) }, 'checkpoint failed');
    }
  }
}
