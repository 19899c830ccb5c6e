/** One connection or serial line: requests wait, go out as many at once as the device takes, and meet their answers. */
import type { Clock, Timer } from '@skerry/base';
import { type Frame, type FrameReader, type Framing, FramingError } from '../../../modbus/framing.ts';
import { EXCEPTION_BIT } from '../../../modbus/functions.ts';
import { DriverError } from '../../driver-error.ts';
import type { ByteStream } from '../../transport/byte-stream.ts';

export interface LineOptions {
  readonly stream: ByteStream;
  readonly framing: Framing;
  readonly clock: Clock;
  /** Requests on their way at once. */
  readonly pipeline: number;
  /** Silence before each request. */
  readonly pauseMs: number;
}

export interface Ask {
  readonly unit: number;
  readonly pdu: Uint8Array;
  readonly timeoutMs: number;
  /** Whoever gives up by `cancel`. */
  readonly owner: object;
}

interface Exchange extends Ask {
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: DriverError) => void;
  timer: Timer | undefined;
}

/** Requests that wait for the line; more are `Busy`. */
const MAX_WAITING = 4096;
const BROADCAST = 0;
/** What every device needs to carry out what was said to everybody. */
const BROADCAST_PAUSE_MS = 100;
/** An answer that is late by less than this part of the timeout must not be taken for that to the next request. */
const LATE_PART = 0.5;

export class ModbusLine {
  readonly ended: Promise<DriverError | undefined>;
  readonly #options: LineOptions;
  readonly #reader: FrameReader;
  readonly #waiting: Exchange[] = [];
  readonly #flying = new Map<number, Exchange>();
  #transaction = 0;
  #hasHeard = false;
  #quietUntil = 0;
  #resting: Timer | undefined;
  /** What made us close the connection. */
  #fault: DriverError | undefined;
  #end: DriverError | undefined;

  constructor(options: LineOptions) {
    const { stream, framing } = options;
    this.#options = options;
    this.#reader = framing.reader('answers', (unit, code) => this.#isExpected(unit, code));
    this.ended = stream.closed.then((error) => {
      this.#fail(error ?? new DriverError('Closed', 'the connection was closed'));
      return error ?? this.#fault;
    });
    stream.onBytes((bytes) => this.#onBytes(bytes));
  }

  /** How many requests wait or are on their way. */
  get load(): number {
    return this.#waiting.length + this.#flying.size;
  }

  /** The answer, which may be an exception. Of what is said to everybody on a serial line: the request, once it is sent. Rejects with a DriverError. */
  exchange(ask: Ask): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end);
      if (this.#waiting.length >= MAX_WAITING)
        return reject(new DriverError('Busy', `${MAX_WAITING} requests wait for the line`));
      const { unit, pdu, timeoutMs, owner } = ask;
      this.#waiting.push({ unit, pdu, timeoutMs, owner, resolve, reject, timer: undefined });
      this.#pump();
    });
  }

  /** Ends all that the owner waits for. What is on its way keeps its place until it is answered or late: the device is at it. */
  cancel(owner: object, error: DriverError): void {
    for (const exchange of this.#flying.values()) if (exchange.owner === owner) exchange.reject(error);
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      if (this.#waiting[at]?.owner !== owner) continue;
      for (const exchange of this.#waiting.splice(at, 1)) exchange.reject(error);
    }
  }

  close(): void {
    this.#options.stream.close();
  }

  #pump(): void {
    const { pipeline } = this.#options;
    while (this.#flying.size < pipeline && this.#waiting.length > 0) {
      if (this.#quietUntil > 0 && !this.#isQuietEnough()) return;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#send(next);
    }
  }

  /** The silence that parts one frame from the next; when it is not over, goes on after it. */
  #isQuietEnough(): boolean {
    const { clock } = this.#options;
    const rest = this.#quietUntil - clock.monotonic();
    if (rest <= 0) return true;
    if (this.#resting !== undefined) return false;
    this.#resting = clock.after(rest, () => {
      this.#resting = undefined;
      this.#pump();
    });
    return false;
  }

  #beQuiet(ms: number): void {
    if (ms > 0) this.#quietUntil = this.#options.clock.monotonic() + ms;
  }

  #send(exchange: Exchange): void {
    const { stream, framing, clock } = this.#options;
    const { unit, pdu, timeoutMs } = exchange;
    const transaction = framing.hasTransactions ? this.#nextTransaction() : 0;
    if (!framing.hasTransactions) this.#reader.clear();
    this.#hasHeard = false;
    stream.write(framing.encode({ unit, transaction, pdu }));
    if (unit === BROADCAST && !framing.hasTransactions) {
      this.#beQuiet(BROADCAST_PAUSE_MS);
      exchange.resolve(pdu);
      return;
    }
    this.#flying.set(transaction, exchange);
    exchange.timer = clock.after(timeoutMs, () => this.#onLate(transaction, exchange));
  }

  #nextTransaction(): number {
    do this.#transaction = (this.#transaction + 1) & 0xffff;
    while (this.#flying.has(this.#transaction));
    return this.#transaction;
  }

  #onBytes(bytes: Uint8Array): void {
    this.#hasHeard = true;
    try {
      for (const frame of this.#reader.push(bytes)) this.#onFrame(frame);
    } catch (cause) {
      if (!(cause instanceof FramingError)) throw cause;
      this.#fault = new DriverError('Malformed', cause.message, { cause });
      this.#fail(this.#fault);
      this.#options.stream.close();
      return;
    }
    this.#pump();
  }

  /** An answer that nobody waits for came too late. */
  #onFrame({ transaction, unit, pdu }: Frame): void {
    const exchange = this.#flying.get(transaction);
    if (exchange === undefined) return;
    this.#land(transaction, exchange);
    if (unit === exchange.unit && isAnswerTo(exchange.pdu, pdu[0])) exchange.resolve(pdu);
    else
      exchange.reject(
        new DriverError('Malformed', `unit ${unit} answered something else than unit ${exchange.unit} was asked`),
      );
  }

  #onLate(transaction: number, exchange: Exchange): void {
    const { unit, timeoutMs } = exchange;
    const { framing, pauseMs } = this.#options;
    const isGarbled = !framing.hasTransactions && this.#hasHeard;
    this.#land(transaction, exchange);
    if (!framing.hasTransactions) this.#beQuiet(Math.max(pauseMs, timeoutMs * LATE_PART));
    exchange.reject(
      isGarbled
        ? new DriverError(
            'Malformed',
            `what came from unit ${unit} is not ${framing.name}: check speed, parity and wiring`,
          )
        : new DriverError('TimedOut', `no answer from unit ${unit} within ${timeoutMs} ms`),
    );
    this.#pump();
  }

  #land(transaction: number, exchange: Exchange): void {
    exchange.timer?.cancel();
    this.#flying.delete(transaction);
    this.#beQuiet(this.#options.pauseMs);
  }

  #isExpected(unit: number, code: number): boolean {
    const exchange = this.#flying.get(0);
    return exchange !== undefined && unit === exchange.unit && isAnswerTo(exchange.pdu, code);
  }

  #fail(error: DriverError): void {
    this.#end ??= error;
    this.#resting?.cancel();
    for (const exchange of [...this.#flying.values(), ...this.#waiting.splice(0)]) {
      exchange.timer?.cancel();
      exchange.reject(this.#end);
    }
    this.#flying.clear();
  }
}

function isAnswerTo(request: Uint8Array, code: number | undefined): boolean {
  return code !== undefined && (code & ~EXCEPTION_BIT) === request[0];
}
