/** An edge core with a replica and an outbox that keep what is durable over crashes. */
import type { StateChange } from '../../contract.ts';
import type { EdgeEffect, EdgeEvent } from '../edge-events.ts';
import { EdgeSession, stepEdge } from '../edge-session.ts';
import { BlobKeeper, type WantedBlob } from './blobs.ts';
import type { Network } from './network.ts';
import { StreamBook } from './stream-book.ts';

const text = new TextDecoder();

export class SimulatedEdge {
  readonly network: Network;
  // Durable.
  sessionNumber = 0;
  position: Uint8Array = new Uint8Array(0);
  readonly objects = new Map<string, { readonly version: string; readonly value: string }>();
  readonly outbox: number[] = [];
  appended = 0;
  readonly blobs: WantedBlob[] = [];
  // Volatile.
  session: EdgeSession;
  streams = new StreamBook('edge', (event) => this.dispatch(event));
  #keeper = this.#newKeeper();
  versionsAsked = 0;
  becameCurrent = 0;
  readonly #later: { readonly due: number; readonly run: () => void }[] = [];
  #generation = 0;
  #lastApplyDue = 0;
  #lastKeptDue = 0;
  readonly #random: () => number;
  readonly #paths: number;
  /** Each process counts its paths from 1; in the network they stay apart. */
  #base = 0;
  #versions: [string, string][] = [];

  constructor(network: Network, random: () => number, paths: number) {
    this.network = network;
    this.#random = random;
    this.#paths = paths;
    this.session = this.#newSession();
    const onPath = (id: number, event: (path: number) => EdgeEvent) => {
      if (id > this.#base) this.dispatch(event(id - this.#base));
    };
    network.attach('edge', {
      onOpen: (id) => onPath(id, (path) => ({ type: 'path-open', path })),
      onMessage: (id, bytes) => onPath(id, (path) => ({ type: 'message', path, bytes })),
      onClosed: (id, reason) => onPath(id, (path) => ({ type: 'path-closed', path, reason })),
      onWritten: (id, bytes) => this.#after(0, () => onPath(id, (path) => ({ type: 'written', path, bytes }))),
    });
  }

  start(): void {
    this.dispatch({ type: 'start' });
  }

  append(): void {
    this.outbox.push(++this.appended);
    this.dispatch({ type: 'outbox-appended' });
  }

  want(size: number): void {
    this.blobs.push({ name: this.blobs.length + 1, size, kept: 0 });
  }

  crash(): void {
    this.network.crash('edge');
    this.streams.lose();
    this.streams = new StreamBook('edge', (event) => this.dispatch(event));
    this.#keeper = this.#newKeeper();
    this.#generation++;
    this.#base += 1_000;
    this.#later.length = 0;
    this.#lastApplyDue = 0;
    this.#lastKeptDue = 0;
    this.session = this.#newSession();
    this.start();
  }

  tick(): void {
    for (const task of this.#later.filter(({ due }) => due <= this.network.now)) {
      this.#later.splice(this.#later.indexOf(task), 1);
      task.run();
    }
    if (this.session.deadline() <= this.network.now) this.dispatch({ type: 'tick' });
    if (this.session.isConnected) this.#keeper.ask();
    this.dispatch({ type: 'flush' });
  }

  deadline(): number {
    return Math.min(this.session.deadline(), ...this.#later.map(({ due }) => due));
  }

  dispatch(event: EdgeEvent): void {
    const [session, effects] = stepEdge(this.session, event, this.network.now);
    this.session = session;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: EdgeEffect): void {
    switch (effect.type) {
      case 'dial':
        this.#after(1, () => this.network.dial(effect.path + this.#base));
        return;
      case 'write':
        this.network.write('edge', effect.path + this.#base, effect.bytes);
        return;
      case 'close-path':
        this.network.close('edge', effect.path + this.#base);
        return;
      case 'store-number':
        this.#after(this.#random() * 20, () => {
          this.sessionNumber = effect.sessionNumber;
          this.dispatch({ type: 'number-stored', sessionNumber: effect.sessionNumber, position: this.position });
        });
        return;
      case 'apply':
        this.#applyInOrder(() => {
          for (const change of effect.batch.changes) this.#apply(change);
          this.position = effect.batch.position ?? this.position;
          this.dispatch({ type: 'applied', bytes: effect.bytes });
        });
        return;
      case 'current':
        this.#applyInOrder(() => {
          this.position = effect.position ?? this.position;
          this.becameCurrent++;
        });
        return;
      case 'versions-wanted':
        this.#giveVersions(effect.restart);
        return;
      case 'outbox-read': {
        const entries = this.outbox.filter((seq) => seq > effect.after).slice(0, effect.limit);
        this.dispatch({
          type: 'outbox-entries',
          entries: entries.map((seq) => ({ seq, bytes: new Uint8Array(seq % 50) })),
        });
        return;
      }
      case 'outbox-acknowledge':
        while (this.outbox[0] !== undefined && this.outbox[0] <= effect.seq) this.outbox.shift();
        return;
      case 'session-ended':
      case 'status':
        return;
      default:
        if (!this.#keeper.onEffect(effect)) this.streams.onEffect(effect);
        return;
    }
  }

  #giveVersions(restart: boolean): void {
    if (restart) {
      this.versionsAsked++;
      this.#versions = [...this.objects].map(([key, { version }]) => [key, version]);
    }
    const versions = this.#versions.splice(0, 3);
    this.dispatch({ type: 'versions', versions, more: this.#versions.length > 0 });
  }

  #apply(change: StateChange): void {
    if ('deleted' in change) this.objects.delete(change.key);
    else this.objects.set(change.key, { version: change.version, value: text.decode(change.bytes) });
  }

  #applyInOrder(run: () => void): void {
    this.#lastApplyDue = Math.max(this.#lastApplyDue, this.network.now + Math.floor(this.#random() * 30));
    this.#after(this.#lastApplyDue - this.network.now, run);
  }

  #after(delayMs: number, run: () => void): void {
    const generation = this.#generation;
    const guarded = () => {
      if (generation === this.#generation) run();
    };
    this.#later.push({ due: this.network.now + Math.floor(delayMs), run: guarded });
  }

  #newKeeper(): BlobKeeper {
    const later = (run: () => void) => {
      this.#lastKeptDue = Math.max(this.#lastKeptDue, this.network.now + Math.floor(this.#random() * 4));
      this.#after(this.#lastKeptDue - this.network.now, run);
    };
    return new BlobKeeper(this.blobs, later, {
      streams: () => this.session.streams,
      dispatch: (event) => this.dispatch(event),
    });
  }

  #newSession(): EdgeSession {
    const { sessionNumber } = this;
    return new EdgeSession({ sessionNumber, heartbeatMs: 1_000, paths: this.#paths, random: this.#random });
  }
}
