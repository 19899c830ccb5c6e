/** One connection or serial line for all Devices at its end: each hears everything, and one at a time asks. */
import type { Clock, Timer } from '@skerry/base';
import { DriverError } from '../driver-error.ts';
import { type ByteStream, type Endpoint, serialSettings } from './byte-stream.ts';
import type { OpenStream } from './open-stream.ts';
import { type Share, Shared } from './shared.ts';

export interface LineListener {
  bytes(bytes: Uint8Array): void;
  /** What began and did not go on is the beginning of nothing. */
  forget(): void;
}

interface LineOptions {
  readonly stream: ByteStream;
  readonly clock: Clock;
  /** Silence before each question. */
  readonly pauseMs: number;
}

/** Gives the line to the next one. Again is harmless. */
export type EndTurn = () => void;
type Turn = (end: EndTurn) => void;

const MAX_WAITING = 1024;

export class Line {
  readonly ended: Promise<DriverError | undefined>;
  readonly listeners = new Set<LineListener>();
  readonly #options: LineOptions;
  readonly #waiting: Turn[] = [];
  #isTaken = false;
  #isTelling = false;
  #isOver = false;
  #pause: Timer | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
    const { stream } = options;
    this.ended = stream.closed.then((error) => {
      this.#isOver = true;
      this.#pause?.cancel();
      this.#waiting.length = 0;
      return error;
    });
    stream.onBytes((bytes) => this.#tell(bytes));
  }

  /** Calls `begin` once nobody else asks: at once where nobody does. Gives back how to wait no longer. Throws `Busy`. */
  take(begin: Turn): () => void {
    if (this.#waiting.length >= MAX_WAITING)
      throw new DriverError('Busy', `${MAX_WAITING} requests wait for the device`);
    this.#waiting.push(begin);
    this.#next();
    return () => {
      const at = this.#waiting.indexOf(begin);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
  }

  write(bytes: Uint8Array): void {
    this.#options.stream.write(bytes);
  }

  forget(): void {
    for (const listener of this.listeners) listener.forget();
  }

  close(): void {
    this.#options.stream.close();
  }

  /** Invariant: nobody asks before all have heard what came, or it would be taken for the answer. */
  #tell(bytes: Uint8Array): void {
    this.#isTelling = true;
    for (const listener of this.listeners) listener.bytes(bytes);
    this.#isTelling = false;
    this.#next();
  }

  #next(): void {
    if (this.#isTaken || this.#isTelling || this.#isOver) return;
    const begin = this.#waiting.shift();
    if (begin === undefined) return;
    this.#isTaken = true;
    let hasEnded = false;
    begin(() => {
      if (hasEnded) return;
      hasEnded = true;
      this.#rest();
    });
  }

  #rest(): void {
    const { clock, pauseMs } = this.#options;
    const free = () => {
      this.#isTaken = false;
      this.#next();
    };
    if (pauseMs <= 0) free();
    else if (!this.#isOver) this.#pause = clock.after(pauseMs, free);
  }
}

export interface LineWanted {
  readonly endpoint: Endpoint;
  /** As in the Device's options. */
  readonly serial: unknown;
  readonly pauseMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** To connect may take longer than an answer. */
const CONNECT_TIMES = 4;

/** The lines of a driver, by endpoint. */
export class Lines {
  readonly #clock: Clock;
  readonly #openStream: OpenStream;
  readonly #shared = new Shared<Line>();

  constructor(clock: Clock, openStream: OpenStream) {
    this.#clock = clock;
    this.#openStream = openStream;
  }

  /** Rejects with a DriverError. */
  acquire({ endpoint, serial: given, pauseMs, timeoutMs, signal }: LineWanted): Promise<Share<Line>> {
    const clock = this.#clock;
    const serial = serialSettings(given);
    const open = async (giveUp: AbortSignal) => {
      const wanted = { endpoint, serial, timeoutMs: timeoutMs * CONNECT_TIMES, clock, signal: giveUp };
      return new Line({ stream: await this.#openStream(wanted), clock, pauseMs });
    };
    return this.#shared.acquire(
      { key: JSON.stringify(endpoint), terms: JSON.stringify([serial, pauseMs]), open },
      signal,
    );
  }

  close(): void {
    this.#shared.close();
  }
}
