/** Streams of one side in a simulation: the opener counts upwards, the other side echoes; both remember what they saw. */
import { ByteReader, ByteWriter } from '../bytes.ts';
import type { StreamEffect, StreamEvent } from '../stream-events.ts';
import type { Streams } from '../streams.ts';

export interface SimulatedStream {
  readonly id: number;
  readonly isOurs: boolean;
  sent: number;
  readonly seen: number[];
  hasEnded: boolean;
  hasPeerEnded: boolean;
  outcome: 'open' | 'closed' | 'aborted';
}

export class StreamBook {
  readonly streams = new Map<number, SimulatedStream>();
  readonly side: 'edge' | 'hub';
  readonly #dispatch: (event: StreamEvent) => void;

  constructor(side: 'edge' | 'hub', dispatch: (event: StreamEvent) => void) {
    this.side = side;
    this.#dispatch = dispatch;
  }

  open(streams: Streams | undefined): void {
    const id = streams?.takeId();
    if (id === undefined) return;
    this.#add(id, true);
    this.#dispatch({ type: 'stream-open', id, header: new Uint8Array([1]) });
  }

  /** One of our streams sends its next numbers. */
  send(pick: number, count: number, size: number): void {
    const stream = this.#pick(pick);
    for (let sent = 0; stream !== undefined && sent < count; sent++) this.#sendNext(stream, size);
  }

  end(pick: number): void {
    const stream = this.#pick(pick);
    if (stream !== undefined) this.#end(stream);
  }

  endAll(): void {
    for (const stream of this.streams.values()) if (stream.isOurs) this.#end(stream);
  }

  abort(pick: number): void {
    const stream = this.#pick(pick);
    if (stream === undefined) return;
    stream.outcome = 'aborted';
    this.#dispatch({ type: 'stream-abort', id: stream.id, text: 'enough' });
  }

  /** The process is gone. */
  lose(): void {
    for (const stream of this.streams.values()) if (stream.outcome === 'open') stream.outcome = 'aborted';
  }

  onEffect(effect: StreamEffect): void {
    const stream = effect.type === 'stream-opened' ? this.#add(effect.id, false) : this.streams.get(effect.id);
    if (stream === undefined) throw new Error(`effect ${effect.type} of unknown stream ${effect.id}`);
    switch (effect.type) {
      case 'stream-data':
        this.#onData(stream, effect.bytes);
        return;
      case 'stream-ended':
        stream.hasPeerEnded = true;
        if (!stream.isOurs) this.#end(stream);
        return;
      case 'stream-closed':
        if (stream.outcome === 'open') stream.outcome = 'closed';
        return;
      case 'stream-aborted':
        stream.outcome = 'aborted';
        return;
      default:
        return;
    }
  }

  #onData(stream: SimulatedStream, bytes: Uint8Array): void {
    stream.seen.push(new ByteReader(bytes).varint());
    if (!stream.isOurs) this.#dispatch({ type: 'stream-send', id: stream.id, bytes });
    this.#dispatch({ type: 'stream-consumed', id: stream.id, bytes: bytes.length });
  }

  #sendNext(stream: SimulatedStream, size: number): void {
    const bytes = new ByteWriter(size + 8)
      .varint(++stream.sent)
      .raw(new Uint8Array(size))
      .finish();
    this.#dispatch({ type: 'stream-send', id: stream.id, bytes });
  }

  #end(stream: SimulatedStream): void {
    stream.hasEnded = true;
    this.#dispatch({ type: 'stream-end', id: stream.id });
  }

  #pick(pick: number): SimulatedStream | undefined {
    const ours = [...this.streams.values()].filter(
      ({ isOurs, hasEnded, outcome }) => isOurs && !hasEnded && outcome === 'open',
    );
    return ours[pick % Math.max(1, ours.length)];
  }

  #add(id: number, isOurs: boolean): SimulatedStream {
    const stream: SimulatedStream = {
      id,
      isOurs,
      sent: 0,
      seen: [],
      hasEnded: false,
      hasPeerEnded: false,
      outcome: 'open',
    };
    this.streams.set(id, stream);
    return stream;
  }
}
