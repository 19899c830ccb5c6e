/** One stream of a session. */
import { BoundedQueue } from '@skerry/base';
import type { LinkStream } from '../contract.ts';
import type { StreamEffect, StreamEvent } from '../core/stream-events.ts';
import { errors } from '../errors.ts';
import { MAX_STREAM_MESSAGE_BYTES, STREAM_MAX_CREDIT, STREAM_MESSAGE_COST } from '../limits.ts';

export interface StreamPort {
  readonly dispatch: (event: StreamEvent) => void;
  /** What was sent waits for credit or room. */
  readonly isBlocked: () => boolean;
  /** Opened by the other side, and so open from the start. */
  readonly isAnswer: boolean;
  /** A message counts as taken when the next one is asked for: the reader has kept it by then. */
  readonly isTakenLate: boolean;
}

/** Credit bounds what can arrive unread; this many messages, when all are empty. */
const MAX_UNREAD = Math.ceil(STREAM_MAX_CREDIT / STREAM_MESSAGE_COST) + 1;

const ROOM = Promise.resolve();

type Next = IteratorResult<Uint8Array, undefined>;

export class SessionStream implements LinkStream {
  readonly id: number;
  readonly opened: Promise<void>;
  readonly closed: Promise<void>;
  readonly incoming: AsyncIterable<Uint8Array>;
  readonly #port: StreamPort;
  readonly #unread = new BoundedQueue<Uint8Array>('unread stream messages', MAX_UNREAD);
  readonly #opening = Promise.withResolvers<void>();
  readonly #closing = Promise.withResolvers<void>();
  #reader: PromiseWithResolvers<Next> | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isOpen: boolean;
  #hasEnded = false;
  #peerHasEnded = false;
  #isDiscarding = false;
  /** The size of the message that the reader has and may not have kept yet. */
  #handedOut: number | undefined;
  isClosed = false;

  constructor(id: number, port: StreamPort) {
    this.id = id;
    this.#port = port;
    this.#isOpen = port.isAnswer;
    this.opened = this.#opening.promise;
    this.closed = this.#closing.promise;
    this.incoming = { [Symbol.asyncIterator]: () => this.#read() };
    // Whoever waits for it hears of a refusal; where nobody does, it is no fault of the process.
    this.opened.catch(() => {});
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#hasEnded || this.isClosed) return Promise.reject(errors.STREAM_CLOSED());
    if (message.length > MAX_STREAM_MESSAGE_BYTES) {
      return Promise.reject(errors.MESSAGE_TOO_LARGE({ size: message.length, limit: MAX_STREAM_MESSAGE_BYTES }));
    }
    this.#port.dispatch({ type: 'stream-send', id: this.id, bytes: message });
    if (!this.#port.isBlocked()) return ROOM;
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers();
      this.#room.promise.catch(() => {});
    }
    return this.#room.promise;
  }

  accept(): void {
    this.#port.dispatch({ type: 'stream-accept', id: this.id });
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#port.dispatch({ type: 'stream-end', id: this.id });
  }

  /** The handler is done: what was sent still goes out, what comes is not read. */
  finish(): void {
    this.#hasEnded = true;
    this.#isDiscarding = true;
    this.#port.dispatch({ type: 'stream-end', id: this.id, isFinal: true });
  }

  abort(reason: string): void {
    this.fail(errors.STREAM_CLOSED(), reason);
  }

  /** Aborts with `text` for the peer and `error` for those who wait here. */
  fail(error: unknown, text: string): void {
    if (this.isClosed) return;
    this.#failure ??= { error };
    this.#port.dispatch({ type: 'stream-abort', id: this.id, text });
    this.#close();
  }

  onEffect(effect: Exclude<StreamEffect, { type: 'stream-opened' }>): void {
    switch (effect.type) {
      case 'stream-accepted':
        this.#isOpen = true;
        this.#opening.resolve();
        return;
      case 'stream-data':
        this.#onData(effect.bytes);
        return;
      case 'stream-ended':
        this.#peerHasEnded = true;
        this.#reader?.resolve({ done: true, value: undefined });
        return;
      case 'stream-room':
        this.#room?.resolve();
        this.#room = undefined;
        return;
      case 'stream-aborted':
        this.#failure ??= { error: this.#toError(effect.text) };
        this.#close();
        return;
      case 'stream-closed':
        this.#close();
        return;
    }
  }

  #toError(text: string): Error {
    return this.#isOpen ? errors.STREAM_ABORTED({ text }) : errors.STREAM_REFUSED({ text });
  }

  #onData(bytes: Uint8Array): void {
    if (this.#isDiscarding) return;
    if (this.#reader === undefined) {
      this.#unread.offer(bytes);
      return;
    }
    this.#reader.resolve({ done: false, value: this.#handOut(bytes) });
    this.#reader = undefined;
  }

  #handOut(bytes: Uint8Array): Uint8Array {
    if (this.#port.isTakenLate) this.#handedOut = bytes.length;
    else this.#consume(bytes.length);
    return bytes;
  }

  #consume(bytes: number): void {
    this.#handedOut = undefined;
    this.#port.dispatch({ type: 'stream-consumed', id: this.id, bytes });
  }

  #read(): AsyncIterator<Uint8Array, undefined> {
    this.accept();
    return {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
  }

  /** What arrived before the end or the break is still read. */
  #next(): Promise<Next> {
    if (this.#handedOut !== undefined) this.#consume(this.#handedOut);
    const bytes = this.#unread.take();
    if (bytes !== undefined) return Promise.resolve({ done: false, value: this.#handOut(bytes) });
    if (this.#peerHasEnded) return Promise.resolve({ done: true, value: undefined });
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.isClosed) return Promise.resolve({ done: true, value: undefined });
    this.#reader ??= Promise.withResolvers();
    return this.#reader.promise;
  }

  #close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const error = this.#failure?.error ?? errors.STREAM_CLOSED();
    this.#opening.reject(error);
    this.#room?.reject(error);
    this.#reader?.reject(error);
    this.#closing.resolve();
  }
}
