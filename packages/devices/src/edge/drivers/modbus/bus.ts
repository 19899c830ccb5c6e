/** What Devices with one endpoint share: its connections, opened by the first of them and closed after the last. */
import type { Clock } from '@skerry/base';
import { DriverError } from '../../driver-error.ts';
import type { OpenStream } from '../../transport/open-stream.ts';
import { type Ask, ModbusLine } from './line.ts';
import type { ModbusOptions } from './options.ts';

export interface BusContext {
  readonly clock: Clock;
  readonly openStream: OpenStream;
}

export interface Bus {
  readonly ended: Promise<DriverError | undefined>;
  exchange(ask: Ask): Promise<Uint8Array>;
  cancel(owner: object, error: DriverError): void;
  /** The others of the endpoint go on. */
  release(): void;
}

/** To connect takes as long as a request may, several times over: a host that wakes up, a name to look up. */
const CONNECT_TIMES = 4;

export class Buses {
  readonly #context: BusContext;
  readonly #open = new Map<string, SharedBus>();

  constructor(context: BusContext) {
    this.#context = context;
  }

  /** Rejects with a DriverError. */
  async acquire(options: ModbusOptions, timeoutMs: number): Promise<Bus> {
    const key = JSON.stringify([options.endpoint, options.framing.name]);
    const found = this.#open.get(key);
    const known = found?.isOver === false ? found : undefined;
    const bus = known ?? new SharedBus(options, this.#context, timeoutMs);
    if (known === undefined) {
      this.#open.set(key, bus);
      void bus.ended.then(() => this.#open.get(key) === bus && this.#open.delete(key));
    } else if (known.terms !== termsOf(options)) {
      throw new DriverError('Misconfigured', 'another Device has the same endpoint with other settings of the line');
    }
    return bus.join();
  }

  close(): void {
    for (const bus of this.#open.values()) bus.close();
  }
}

/** What all Devices of an endpoint must agree on. */
function termsOf({ serial, pauseMs, connections, pipeline }: ModbusOptions): string {
  return JSON.stringify([serial, pauseMs, connections, pipeline]);
}

class SharedBus {
  readonly terms: string;
  readonly ended: Promise<DriverError | undefined>;
  readonly #opening: Promise<readonly ModbusLine[]>;
  readonly #ending = Promise.withResolvers<DriverError | undefined>();
  readonly #giveUp = new AbortController();
  #members = 0;
  #isOver = false;

  constructor(options: ModbusOptions, context: BusContext, timeoutMs: number) {
    this.terms = termsOf(options);
    this.ended = this.#ending.promise;
    this.#opening = this.#openLines(options, context, timeoutMs);
    // Whoever joins hears of it.
    this.#opening.catch(() => {});
  }

  /** Nobody can join any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  async join(): Promise<Bus> {
    this.#members++;
    let hasLeft = false;
    const release = () => {
      if (hasLeft) return;
      hasLeft = true;
      if (--this.#members === 0) this.close();
    };
    try {
      const lines = await this.#opening;
      return {
        ended: this.ended,
        exchange: (ask) => leastBusy(lines).exchange(ask),
        cancel: (owner, error) => {
          for (const line of lines) line.cancel(owner, error);
        },
        release,
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  close(): void {
    this.#giveUp.abort();
    this.#end(undefined);
    this.#opening.then(closeAll, () => {});
  }

  async #openLines(
    { endpoint, serial, framing, pipeline, pauseMs, connections }: ModbusOptions,
    { clock, openStream }: BusContext,
    timeoutMs: number,
  ): Promise<readonly ModbusLine[]> {
    const { signal } = this.#giveUp;
    const open = async () => {
      const stream = await openStream({ endpoint, serial, timeoutMs: timeoutMs * CONNECT_TIMES, clock, signal });
      return new ModbusLine({ stream, framing, clock, pipeline, pauseMs });
    };
    const outcomes = await Promise.allSettled(Array.from({ length: connections }, open));
    const lines = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failed = outcomes.find((each) => each.status === 'rejected');
    if (failed !== undefined || signal.aborted) {
      closeAll(lines);
      this.#end(undefined);
      throw failed?.reason ?? new DriverError('Closed', 'the attempt to connect was given up');
    }
    for (const line of lines) void line.ended.then((error) => this.#onLineEnd(lines, error));
    return lines;
  }

  /** All for one: a device that lost one connection has lost them all, or soon will. */
  #onLineEnd(lines: readonly ModbusLine[], error: DriverError | undefined): void {
    this.#end(error);
    closeAll(lines);
  }

  #end(error: DriverError | undefined): void {
    this.#isOver = true;
    this.#ending.resolve(error);
  }
}

function closeAll(lines: readonly ModbusLine[]): void {
  for (const line of lines) line.close();
}

function leastBusy(lines: readonly ModbusLine[]): ModbusLine {
  let [least] = lines;
  for (const line of lines) if (least === undefined || line.load < least.load) least = line;
  if (least === undefined) throw new DriverError('Closed', 'there is no connection');
  return least;
}
