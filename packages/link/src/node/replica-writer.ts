/** Applies what comes down in order; batches that arrive while the disk is busy are applied together. */
import type { Position, StateChange, StateReplica } from '../contract.ts';
import type { StateBatch } from '../core/batch.ts';
import { type RetryContext, untilDone } from './retry.ts';

interface Step {
  readonly changes: readonly StateChange[];
  readonly position: Position | undefined;
  readonly bytes: number;
  /** The session is level with the cloud after this. */
  readonly isCurrent: boolean;
}

export class ReplicaWriter {
  readonly #replica: StateReplica;
  readonly #context: RetryContext;
  readonly #onApplied: (bytes: number) => void;
  readonly #steps: Step[] = [];
  #isBusy = false;
  #session = 0;
  /** The last one of this session. The replica is asked for its own only at the start: asking tells it that a session begins. */
  #position: Position | undefined;

  constructor(replica: StateReplica, context: RetryContext, onApplied: (bytes: number) => void) {
    this.#replica = replica;
    this.#context = context;
    this.#onApplied = onApplied;
  }

  apply({ changes, position }: StateBatch, bytes: number): void {
    this.#add({ changes, position, bytes, isCurrent: false });
  }

  current(position: Position | undefined): void {
    this.#add({ changes: [], position, bytes: 0, isCurrent: true });
  }

  /** The session is over: what was not applied comes again in the next. */
  drop(): void {
    this.#steps.length = 0;
    this.#position = undefined;
    this.#session++;
  }

  #add(step: Step): void {
    // The link's window bounds what waits here.
    this.#steps.push(step);
    if (!this.#isBusy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    while (this.#steps.length > 0 && !this.#context.signal.aborted) {
      const steps = this.#steps.splice(0);
      const session = this.#session;
      if (!(await this.#applyAll(steps))) break;
      if (session !== this.#session) continue;
      if (steps.some(({ isCurrent }) => isCurrent)) this.#replica.onCurrent();
      const bytes = steps.reduce((sum, step) => sum + step.bytes, 0);
      if (bytes > 0) this.#onApplied(bytes);
    }
    this.#isBusy = false;
  }

  async #applyAll(steps: readonly Step[]): Promise<boolean> {
    const changes = steps.flatMap((step) => step.changes);
    const position = steps.findLast((step) => step.position !== undefined)?.position?.slice() ?? this.#position;
    if (changes.length === 0 && position === undefined) return true;
    this.#position = position ?? this.#replica.position();
    const applied = this.#position;
    return untilDone(this.#context, 'storing state', () => this.#replica.apply(changes, applied));
  }
}
