/** What runs while a session lasts at the hub: its feed and its sink. */
import { messageOf } from '@skerry/base';
import type { HeldState, OutboxEntry, Position, StateChange, StateOutput } from '../contract.ts';
import { encodeState } from '../core/batch.ts';
import { Reason } from '../core/frame.ts';
import { errors } from '../errors.ts';
import type { HubContext, HubPeer } from './hub-peer.ts';
import { untilDone } from './retry.ts';

interface Unsunk {
  readonly entries: readonly OutboxEntry[];
  readonly bytes: number;
}

const NO_POSITION: Position = new Uint8Array(0);

/** One object for both sides of the feed, instead of closures: a hub holds ten thousand of these. */
export class SessionWork implements HeldState, StateOutput {
  position: Position = NO_POSITION;
  readonly #peer: HubPeer;
  readonly #context: HubContext;
  readonly #abort = new AbortController();
  #room: PromiseWithResolvers<void> | undefined;
  #versions: PromiseWithResolvers<ReadonlyMap<string, string>> | undefined;
  #unsunk: Unsunk[] | undefined;
  #isSinking = false;

  constructor(peer: HubPeer, context: HubContext) {
    this.#peer = peer;
    this.#context = context;
  }

  /** The session is over. */
  end(reason: Error): void {
    this.#abort.abort(reason);
    this.#room?.reject(reason);
    this.#versions?.reject(reason);
  }

  onRoom(): void {
    this.#room?.resolve();
  }

  onVersions(versions: ReadonlyMap<string, string>): void {
    this.#versions?.resolve(versions);
  }

  // ——— state down ———

  async feed(position: Position): Promise<void> {
    this.position = position;
    const { signal } = this.#abort;
    const { node } = this.#peer;
    try {
      await this.#context.feed(node, this, this, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#context.log.error({ node, error }, 'feed failed');
      this.#peer.close(Reason.other, `feed failed: ${messageOf(error)}`);
    }
  }

  versions(): Promise<ReadonlyMap<string, string>> {
    if (this.#versions === undefined) {
      this.#versions = Promise.withResolvers();
      this.#versions.promise.catch(() => {});
      if (this.#abort.signal.aborted) this.#versions.reject(this.#abort.signal.reason);
      else this.#peer.dispatch({ type: 'ask-versions' });
    }
    return this.#versions.promise;
  }

  async send(changes: readonly StateChange[], position: Position): Promise<void> {
    const copy = position.slice();
    for (const batch of encodeState(changes, copy)) {
      if (this.#room !== undefined) throw errors.STATE_OVERRUN({ node: this.#peer.node });
      this.#abort.signal.throwIfAborted();
      this.#peer.dispatch({ type: 'state', batch, position: copy });
      await this.#roomForState();
    }
  }

  async current(position: Position): Promise<void> {
    this.#abort.signal.throwIfAborted();
    this.#peer.dispatch({ type: 'current', position: position.slice() });
    this.#context.onSession?.(this.#peer.node, 'current');
    await this.#roomForState();
  }

  async #roomForState(): Promise<void> {
    if (!this.#peer.isStateBlocked || this.#abort.signal.aborted) return;
    this.#room = Promise.withResolvers();
    try {
      await this.#room.promise;
    } finally {
      this.#room = undefined;
    }
  }

  // ——— outbox up ———

  sink(entries: readonly OutboxEntry[], bytes: number): void {
    this.#unsunk ??= [];
    this.#unsunk.push({ entries, bytes });
    if (!this.#isSinking) void this.#sinkAll();
  }

  /** Batches that arrive while the sink is busy go to it together. */
  async #sinkAll(): Promise<void> {
    const { signal } = this.#abort;
    const { node } = this.#peer;
    const { clock, random } = this.#context;
    const log = this.#context.log.child({ node });
    this.#isSinking = true;
    for (let batches = this.#unsunk; batches !== undefined; batches = this.#unsunk) {
      this.#unsunk = undefined;
      const entries = batches.flatMap((batch) => batch.entries);
      const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
      const store = () => this.#context.sink(node, entries);
      const isStored = await untilDone({ clock, log, random, signal }, 'storing outbox entries', store);
      if (!isStored || signal.aborted) return;
      const seq = entries.at(-1)?.seq;
      if (seq !== undefined) this.#peer.dispatch({ type: 'sunk', seq, bytes });
    }
    this.#isSinking = false;
  }
}
