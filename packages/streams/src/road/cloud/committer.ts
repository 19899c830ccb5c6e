/** Acknowledges what is on disk: one write of the store for all that came meanwhile. */
import { messageOf } from '@skerry/base';
import type { LinkStream } from '@skerry/link';
import type { SeriesStore } from '../../store/index.ts';
import type { ArrivedBlock } from '../core/receiver.ts';
import { type CloudMessage, encodeCloudMessage } from '../wire/messages.ts';

/** Rows of a block that the cloud will never take. */
export interface Refusal {
  readonly rows: number;
  readonly reason: string;
}

export const NOTHING_REFUSED: Refusal = { rows: 0, reason: '' };
/** The edge knows how many there are. */
export const WHOLE: number = Number.MAX_SAFE_INTEGER;

type Ack = CloudMessage & { readonly type: 'ack' };

/** Blocks that were taken and are not on disk yet. */
const MAX_UNCOMMITTED = 512;

export class Committer {
  readonly #store: SeriesStore;
  readonly #stream: LinkStream;
  #taken: Ack[] = [];
  #committing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(store: SeriesStore, stream: LinkStream) {
    this.#store = store;
    this.#stream = stream;
  }

  add({ queue, lane, number }: ArrivedBlock, { rows, reason }: Refusal): void {
    this.#taken.push({ type: 'ack', queue, lane, number, refused: rows, reason });
    this.#committing ??= this.#commit();
  }

  async room(): Promise<void> {
    if (this.#taken.length >= MAX_UNCOMMITTED) await this.#committing;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async done(): Promise<void> {
    await this.#committing;
  }

  async #commit(): Promise<void> {
    try {
      while (this.#taken.length > 0) {
        const taken = this.#taken.splice(0);
        await this.#store.sync();
        for (const ack of acknowledgements(taken)) await this.#stream.send(encodeCloudMessage(ack));
      }
    } catch (error) {
      this.#failure = { error };
      this.#stream.abort(messageOf(error));
    } finally {
      this.#committing = undefined;
    }
  }
}

/** One for what was taken whole in a row, and one for each block of which something was refused. */
function acknowledgements(taken: readonly Ack[]): readonly Ack[] {
  const acks: Ack[] = [];
  const last = new Map<string, number>();
  for (const ack of taken) {
    const lane = `${ack.queue}/${ack.lane}`;
    const at = last.get(lane);
    if (at !== undefined && ack.refused === 0 && acks[at]?.refused === 0) {
      acks[at] = ack;
      continue;
    }
    last.set(lane, acks.push(ack) - 1);
  }
  return acks;
}
