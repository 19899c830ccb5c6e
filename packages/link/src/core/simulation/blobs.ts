/** Blobs in a simulation: the cloud has any that is asked for; the edge keeps what came over its crashes and asks for the rest. */
import assert from 'node:assert/strict';
import { decodeBlobAnswer, decodeBlobAsk, encodeBlobAnswer, encodeBlobAsk } from '../blob.ts';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { Lane } from '../frame.ts';
import type { StreamEffect, StreamEvent } from '../stream-events.ts';
import type { Streams } from '../streams.ts';

interface Port {
  readonly streams: () => Streams | undefined;
  readonly dispatch: (event: StreamEvent) => void;
}

const NOTHING = new Uint8Array(0);

/** What stands in blob `name` from `offset` on. */
function contentOf(name: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = ((offset + index) * 31 + name) % 251;
  return bytes;
}

/** The cloud's desk. A request is the blob's name, which is a number, and its size. */
export class BlobDesk {
  readonly #port: Port;
  readonly #served = new Map<number, { readonly name: number; readonly size: number; offset: number }>();

  constructor(port: Port) {
    this.#port = port;
  }

  /** False when it is about another stream. */
  onEffect(effect: StreamEffect): boolean {
    if (effect.type === 'stream-opened' && effect.lane === Lane.bulk) this.#open(effect.id, effect.header);
    else if (!this.#served.has(effect.id)) return false;
    if (effect.type === 'stream-aborted' || effect.type === 'stream-closed') this.#served.delete(effect.id);
    else this.#pump(effect.id);
    return true;
  }

  #open(id: number, header: Uint8Array): void {
    const { offset, request } = decodeBlobAsk(header);
    const reader = new ByteReader(request);
    const [name, size] = [reader.varint(), reader.varint()];
    this.#served.set(id, { name, size, offset });
    const bytes = encodeBlobAnswer({ found: true, size, info: NOTHING });
    this.#port.dispatch({ type: 'stream-send', id, bytes });
  }

  #pump(id: number): void {
    const served = this.#served.get(id);
    const streams = this.#port.streams();
    if (served === undefined || streams === undefined || served.offset > served.size) return;
    while (served.offset < served.size && !streams.isBlocked(id)) {
      const piece = contentOf(served.name, served.offset, Math.min(streams.pieceBytes, served.size - served.offset));
      served.offset += piece.length;
      this.#port.dispatch({ type: 'stream-send', id, bytes: piece });
    }
    if (served.offset < served.size) return;
    // Beyond its end, so that it is ended once.
    served.offset++;
    this.#port.dispatch({ type: 'stream-end', id });
  }
}

export interface WantedBlob {
  readonly name: number;
  readonly size: number;
  /** Durable. */
  kept: number;
}

interface Asked {
  readonly blob: WantedBlob;
  hasAnswer: boolean;
  /** Arrived and not kept yet. */
  arriving: number;
  hasEnded: boolean;
}

/** The edge's end. What it wants is durable, what it has asked for is not. */
export class BlobKeeper {
  readonly #port: Port;
  readonly #wanted: readonly WantedBlob[];
  readonly #later: (run: () => void) => void;
  readonly #asked = new Map<number, Asked>();

  constructor(wanted: readonly WantedBlob[], later: (run: () => void) => void, port: Port) {
    this.#wanted = wanted;
    this.#later = later;
    this.#port = port;
  }

  /** Asks for what is not whole and not on its way. */
  ask(): void {
    for (const blob of this.#wanted) {
      if (blob.kept === blob.size || this.#asked.values().some((asked) => asked.blob === blob)) continue;
      const id = this.#port.streams()?.takeId(Lane.bulk);
      if (id === undefined) return;
      this.#asked.set(id, { blob, hasAnswer: false, arriving: 0, hasEnded: false });
      const request = new ByteWriter(16).varint(blob.name).varint(blob.size).finish();
      const header = encodeBlobAsk({ offset: blob.kept, request });
      this.#port.dispatch({ type: 'stream-open', id, header, lane: Lane.bulk });
    }
  }

  /** False when it is about another stream. */
  onEffect(effect: StreamEffect): boolean {
    const asked = this.#asked.get(effect.id);
    if (asked === undefined) return false;
    if (effect.type === 'stream-data') this.#onData(effect.id, asked, effect.bytes);
    else if (effect.type === 'stream-ended') this.#onEnded(effect.id, asked);
    else if (effect.type === 'stream-aborted' || effect.type === 'stream-closed') this.#asked.delete(effect.id);
    return true;
  }

  #onData(id: number, asked: Asked, bytes: Uint8Array): void {
    const { blob } = asked;
    if (!asked.hasAnswer) {
      const answer = decodeBlobAnswer(bytes);
      assert.deepEqual(answer, { found: true, size: blob.size, info: answer.found ? answer.info : undefined });
      asked.hasAnswer = true;
      this.#port.dispatch({ type: 'stream-consumed', id, bytes: bytes.length });
      return;
    }
    const at = blob.kept + asked.arriving;
    assert.deepEqual(bytes.slice(), contentOf(blob.name, at, bytes.length), `blob ${blob.name} at ${at}`);
    asked.arriving += bytes.length;
    this.#later(() => {
      if (this.#asked.get(id) !== asked) return;
      blob.kept += bytes.length;
      asked.arriving -= bytes.length;
      this.#port.dispatch({ type: 'stream-consumed', id, bytes: bytes.length });
      this.#endWhenKept(id, asked);
    });
  }

  #onEnded(id: number, asked: Asked): void {
    asked.hasEnded = true;
    this.#endWhenKept(id, asked);
  }

  #endWhenKept(id: number, { blob, hasEnded, arriving }: Asked): void {
    if (!hasEnded || arriving > 0) return;
    assert.equal(blob.kept, blob.size, `blob ${blob.name} ended whole`);
    this.#port.dispatch({ type: 'stream-end', id });
  }
}
