/** Frames there and back: one question at a time, and everything that comes is also told to whoever listens. */
import type { Clock, Timer } from '@skerry/base';
import type { Frames } from '../../../frames/description.ts';
import { FrameSplitter } from '../../../frames/splitter.ts';
import { DriverError } from '../../driver-error.ts';
import type { ByteStream } from '../../transport/byte-stream.ts';

export interface ChannelOptions {
  readonly stream: ByteStream;
  readonly clock: Clock;
  readonly frames: Frames;
  readonly timeoutMs: number;
}

export interface Question<T> {
  readonly what: string;
  readonly bytes: Uint8Array;
  /** What the frame says, or why the device refuses; undefined when it is not the answer. */
  readonly answerIn: (frame: Uint8Array) => T | DriverError | undefined;
}

interface Asked {
  readonly what: string;
  readonly bytes: Uint8Array;
  /** Whether the frame was the answer. */
  readonly take: (frame: Uint8Array) => boolean;
  readonly reject: (error: DriverError) => void;
  isGivenUp: boolean;
}

export interface FrameListener {
  frame(frame: Uint8Array): void;
  lost(count: number): void;
}

const MAX_WAITING = 1024;

export class FrameChannel {
  readonly ended: Promise<DriverError | undefined>;
  readonly listeners = new Set<FrameListener>();
  readonly #options: ChannelOptions;
  readonly #splitter: FrameSplitter;
  readonly #waiting: Asked[] = [];
  #current: Asked | undefined;
  #timer: Timer | undefined;
  #end: DriverError | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#splitter = new FrameSplitter(options.frames);
    this.ended = options.stream.closed.then((error) => {
      this.#fail(error ?? new DriverError('Closed', 'the session was closed'));
      return error;
    });
    options.stream.onBytes((bytes) => this.#onBytes(bytes));
  }

  /** Rejects with a DriverError. */
  async ask<T>({ what, bytes, answerIn }: Question<T>, signal: AbortSignal): Promise<T> {
    if (this.#end !== undefined) throw this.#end;
    if (signal.aborted) throw new DriverError('Closed', 'the request was given up');
    if (this.#waiting.length >= MAX_WAITING)
      throw new DriverError('Busy', `${MAX_WAITING} requests wait for the device`);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const take = (frame: Uint8Array) => {
      const answer = answerIn(frame);
      if (answer === undefined) return false;
      if (answer instanceof DriverError) reject(answer);
      else resolve(answer);
      return true;
    };
    const asked: Asked = { what, bytes, take, reject, isGivenUp: false };
    const giveUp = () => {
      asked.isGivenUp = true;
      reject(new DriverError('Closed', 'the request was given up'));
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#waiting.push(asked);
    this.#next();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Sent without waiting for anything. */
  say(bytes: Uint8Array): void {
    if (this.#end !== undefined) throw this.#end;
    this.#options.stream.write(bytes);
  }

  close(): void {
    this.#options.stream.close();
    this.#fail(new DriverError('Closed', 'the session was closed'));
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    if (next.isGivenUp) {
      this.#next();
      return;
    }
    const { clock, timeoutMs } = this.#options;
    this.#current = next;
    this.#timer = clock.after(timeoutMs, () => {
      // What began to come and never ended is no beginning of the next answer.
      this.#splitter.clear();
      this.#settle((asked) =>
        asked.reject(new DriverError('TimedOut', `no answer to ${asked.what} within ${timeoutMs} ms`)),
      );
    });
    this.say(next.bytes);
  }

  #settle(how: (asked: Asked) => void): void {
    const asked = this.#current;
    if (asked === undefined) return;
    this.#timer?.cancel();
    this.#current = undefined;
    how(asked);
    if (this.#end === undefined) this.#next();
  }

  #onBytes(bytes: Uint8Array): void {
    const { frames, damaged } = this.#splitter.push(bytes);
    for (const frame of frames) this.#onFrame(frame);
    if (damaged === 0) return;
    for (const listener of this.listeners) listener.lost(damaged);
    this.#settle((asked) =>
      asked.reject(new DriverError('Malformed', `what came after ${asked.what} has a wrong checksum`)),
    );
  }

  #onFrame(frame: Uint8Array): void {
    for (const listener of this.listeners) listener.frame(frame);
    if (this.#current?.take(frame) === true) this.#settle(() => {});
  }

  #fail(error: DriverError): void {
    this.#end ??= error;
    const end = this.#end;
    this.#settle((asked) => asked.reject(end));
    for (const asked of this.#waiting.splice(0)) asked.reject(end);
  }
}
