/** A hub core with a cloud behind it that keeps what is durable over crashes. */
import type { OutboxEntry, StateChange } from '../../contract.ts';
import { encodeState } from '../batch.ts';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { decodeFrames, Reason } from '../frame.ts';
import type { HubEffect, HubEvent } from '../hub-events.ts';
import { HubNode, stepHub } from '../hub-node.ts';
import { BlobDesk } from './blobs.ts';
import type { Network } from './network.ts';
import { StreamBook } from './stream-book.ts';

interface Version {
  readonly revision: number;
  readonly value: string | undefined;
}

const text = new TextEncoder();

export class SimulatedCloud {
  readonly network: Network;
  // Durable.
  sessionNumber = 0;
  revision = 0;
  readonly objects = new Map<string, Version>();
  /** A feed cannot continue from a position below this. */
  compactedTo = 0;
  readonly sunk: number[] = [];
  deliveries = 0;
  readonly copies: string[] = [];
  // Volatile.
  hub = new HubNode();
  streams = new StreamBook('hub', (event) => this.dispatch(event));
  #blobs = this.#newDesk();
  readonly #later: { readonly due: number; readonly run: () => void }[] = [];
  #generation = 0;
  #fed: number | undefined;
  #saidCurrent = false;
  #sinkDue = 0;
  #greeting = new Set<number>();
  readonly #random: () => number;

  constructor(network: Network, random: () => number) {
    this.network = network;
    this.#random = random;
    network.attach('hub', {
      onOpen: () => {},
      onMessage: (path, bytes) => this.#onMessage(path, bytes),
      onClosed: (path, reason) => this.dispatch({ type: 'path-closed', path, reason }),
      onWritten: (path, bytes) => this.#after(0, () => this.dispatch({ type: 'written', path, bytes })),
    });
  }

  put(key: string, value: string | undefined): void {
    this.objects.set(key, { revision: ++this.revision, value });
    this.#feed();
  }

  crash(): void {
    this.network.crash('hub');
    this.streams.lose();
    this.hub = new HubNode();
    this.streams = new StreamBook('hub', (event) => this.dispatch(event));
    this.#blobs = this.#newDesk();
    this.#generation++;
    this.#later.length = 0;
    this.#fed = undefined;
    this.#greeting.clear();
  }

  tick(): void {
    for (const task of this.#later.filter(({ due }) => due <= this.network.now)) {
      this.#later.splice(this.#later.indexOf(task), 1);
      task.run();
    }
    if (this.hub.deadline() <= this.network.now) this.dispatch({ type: 'tick' });
    this.#feed();
    this.dispatch({ type: 'flush' });
  }

  deadline(): number {
    return Math.min(this.hub.deadline(), ...this.#later.map(({ due }) => due));
  }

  dispatch(event: HubEvent): void {
    const [hub, effects] = stepHub(this.hub, event, this.network.now);
    this.hub = hub;
    for (const effect of effects) this.#perform(effect);
  }

  #onMessage(path: number, bytes: Uint8Array): void {
    if (this.hub.channel?.path(path) !== undefined || this.#greeting.has(path)) {
      this.dispatch({ type: 'message', path, bytes });
      return;
    }
    const [first] = decodeFrames(bytes);
    if (first?.frame.type !== 'hello') {
      this.network.close('hub', path);
      return;
    }
    this.#greeting.add(path);
    const key = Uint8Array.from({ length: 16 }, () => Math.floor(this.#random() * 256));
    this.dispatch({ type: 'hello', path, hello: first.frame, stored: this.sessionNumber, key });
  }

  #perform(effect: HubEffect): void {
    switch (effect.type) {
      case 'write':
        this.network.write('hub', effect.path, effect.bytes);
        return;
      case 'close-path':
        this.network.close('hub', effect.path);
        return;
      case 'store-number':
        this.#after(this.#random() * 30, () => {
          this.sessionNumber = Math.max(this.sessionNumber, effect.sessionNumber);
          this.dispatch({ type: 'number-stored', sessionNumber: effect.sessionNumber });
        });
        return;
      case 'feed-wanted':
        this.#startFeed(new ByteReader(effect.position).left > 0 ? new ByteReader(effect.position).varint() : 0);
        return;
      case 'versions':
        this.#feedDifference(effect.versions);
        return;
      case 'sink':
        this.#sink(effect.entries, effect.bytes);
        return;
      case 'session-ended':
        this.#fed = undefined;
        return;
      case 'copy':
        this.copies.push(effect.kind);
        return;
      case 'session-open':
      case 'state-room':
        return;
      default:
        if (!this.#blobs.onEffect(effect)) this.streams.onEffect(effect);
        return;
    }
  }

  #newDesk(): BlobDesk {
    return new BlobDesk({ streams: () => this.hub.streams, dispatch: (event) => this.dispatch(event) });
  }

  #startFeed(position: number): void {
    this.#saidCurrent = false;
    this.#fed = undefined;
    // A position from the future means that the cloud is an older one, restored: what the edge has must be compared.
    if (position >= this.compactedTo && position <= this.revision) this.#fed = position;
    else this.dispatch({ type: 'ask-versions' });
  }

  #feedDifference(held: ReadonlyMap<string, string>): void {
    const changes: StateChange[] = [];
    for (const [key, version] of held) {
      const wanted = this.objects.get(key);
      if (wanted?.value === undefined) changes.push({ key, deleted: true });
      else if (String(wanted.revision) !== version) changes.push(toChange(key, wanted));
    }
    for (const [key, wanted] of this.objects) {
      if (wanted.value !== undefined && !held.has(key)) changes.push(toChange(key, wanted));
    }
    this.#send(changes, this.revision);
  }

  #feed(): void {
    if (this.#fed === undefined || this.hub.sync === undefined || this.hub.sync.isBlocked) return;
    const from = this.#fed;
    const changes = [...this.objects]
      .filter(([, version]) => version.revision > from)
      .sort(([, one], [, another]) => one.revision - another.revision)
      .map(([key, version]) => toChange(key, version));
    if (changes.length > 0) {
      this.#send(changes, this.revision);
      return;
    }
    if (this.#saidCurrent) return;
    this.#saidCurrent = true;
    this.dispatch({ type: 'current', position: toPosition(this.revision) });
  }

  #send(changes: readonly StateChange[], revision: number): void {
    const position = toPosition(revision);
    this.#fed = revision;
    for (const batch of encodeState(changes, position)) this.dispatch({ type: 'state', batch, position });
  }

  #sink(entries: readonly OutboxEntry[], bytes: number): void {
    const seq = entries.at(-1)?.seq ?? 0;
    this.#sinkDue = Math.max(this.#sinkDue, this.network.now + Math.floor(this.#random() * 40));
    this.#after(this.#sinkDue - this.network.now, () => {
      this.deliveries += entries.length;
      // The dedupe that every sink owes: what is at or below the highest number is there already.
      for (const entry of entries) if (entry.seq > (this.sunk.at(-1) ?? 0)) this.sunk.push(entry.seq);
      this.dispatch({ type: 'sunk', seq, bytes });
    });
  }

  #after(delayMs: number, run: () => void): void {
    const generation = this.#generation;
    const guarded = () => {
      if (generation === this.#generation) run();
    };
    this.#later.push({ due: this.network.now + Math.floor(delayMs), run: guarded });
  }

  /** For stories about revocation. */
  close(): void {
    this.dispatch({ type: 'close', reason: Reason.revoked, text: 'revoked' });
  }
}

function toPosition(revision: number): Uint8Array {
  return new ByteWriter(8).varint(revision).finish().slice();
}

function toChange(key: string, { revision, value }: Version): StateChange {
  if (value === undefined) return { key, deleted: true };
  return { key, version: String(revision), bytes: text.encode(value) };
}
