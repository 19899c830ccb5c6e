/** The streams of one session as programs see them: promises and async iteration over the core's events. */
import { type Clock, messageOf } from '@skerry/base';
import type { LinkStream, StreamHandler } from '../contract.ts';
import { Lane } from '../core/frame.ts';
import type { StreamEffect, StreamEvent } from '../core/stream-events.ts';
import type { Streams } from '../core/streams.ts';
import { errors } from '../errors.ts';
import { MAX_BULK_STREAMS, MAX_STREAM_HEADER_BYTES, MAX_STREAMS, STREAM_OPEN_TIMEOUT_MS } from '../limits.ts';
import { SessionStream } from './session-stream.ts';

export interface StreamHost {
  readonly node: string;
  readonly clock: Clock;
  readonly streams: () => Streams | undefined;
  readonly dispatch: (event: StreamEvent) => void;
  /** Answers what the peer opens; on the bulk lane it asks for blobs. */
  readonly answer: StreamHandler;
  readonly serveBlob: StreamHandler;
}

export class StreamTable {
  readonly #host: StreamHost;
  readonly #streams = new Map<number, SessionStream>();

  constructor(host: StreamHost) {
    this.#host = host;
  }

  get isEmpty(): boolean {
    return this.#streams.size === 0;
  }

  /** Opens a stream; resolves once the other side takes it. */
  async open(header: Uint8Array, signal?: AbortSignal, lane: Lane = Lane.telemetry): Promise<LinkStream> {
    signal?.throwIfAborted();
    const { node } = this.#host;
    if (header.length > MAX_STREAM_HEADER_BYTES) {
      throw errors.HEADER_TOO_LARGE({ size: header.length, limit: MAX_STREAM_HEADER_BYTES });
    }
    const core = this.#host.streams();
    if (core === undefined) throw errors.NOT_CONNECTED({ node });
    const id = core.takeId(lane);
    if (id === undefined) {
      throw errors.TOO_MANY_STREAMS({ node, limit: lane === Lane.bulk ? MAX_BULK_STREAMS : MAX_STREAMS });
    }
    const stream = this.#add(id, false, lane);
    const cancel = () => stream.fail(signal?.reason, 'cancelled');
    signal?.addEventListener('abort', cancel, { once: true });
    void stream.closed.then(() => signal?.removeEventListener('abort', cancel));
    this.#host.dispatch({ type: 'stream-open', id, header, lane });
    await this.#opened(stream);
    return stream;
  }

  onEffect(effect: StreamEffect): void {
    if (effect.type === 'stream-opened') {
      this.#answer(effect.id, effect.header, effect.lane);
      return;
    }
    const stream = this.#streams.get(effect.id);
    if (stream === undefined) return;
    stream.onEffect(effect);
    if (stream.isClosed) this.#streams.delete(effect.id);
  }

  async #opened(stream: SessionStream): Promise<void> {
    const { node, clock } = this.#host;
    const limit = STREAM_OPEN_TIMEOUT_MS;
    const late = () => stream.fail(errors.OPEN_TIMEOUT({ node, limit }), 'not answered in time');
    using _timer = clock.after(limit, late, { unref: true });
    await stream.opened;
  }

  #add(id: number, isAnswer: boolean, lane: Lane): SessionStream {
    const { dispatch, streams } = this.#host;
    const isBlocked = () => streams()?.isBlocked(id) ?? false;
    const stream = new SessionStream(id, { dispatch, isBlocked, isAnswer, isTakenLate: lane === Lane.bulk });
    this.#streams.set(id, stream);
    return stream;
  }

  #answer(id: number, header: Uint8Array, lane: Lane): void {
    const stream = this.#add(id, true, lane);
    const answer = lane === Lane.bulk ? this.#host.serveBlob : this.#host.answer;
    const controller = new AbortController();
    void stream.closed.then(() => controller.abort());
    // A header is a view of the message it came in; the handler may keep it.
    const run = async () => answer(header.slice(), stream, controller.signal);
    Promise.resolve()
      .then(run)
      .then(
        () => stream.finish(),
        (error: unknown) => stream.abort(messageOf(error)),
      );
  }
}
