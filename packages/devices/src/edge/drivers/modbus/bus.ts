/** What Devices with one endpoint share: its connections, of which the least busy one takes the next request. */
import type { Clock } from '@skerry/base';
import { DriverError } from '../../driver-error.ts';
import type { OpenStream } from '../../transport/open-stream.ts';
import { type Share, Shared } from '../../transport/shared.ts';
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
  close(): void;
}

/** To connect takes as long as a request may, several times over: a host that wakes up, a name to look up. */
const CONNECT_TIMES = 4;

export class Buses {
  readonly #context: BusContext;
  readonly #shared = new Shared<Bus>();

  constructor(context: BusContext) {
    this.#context = context;
  }

  /** Rejects with a DriverError. */
  acquire(options: ModbusOptions, timeoutMs: number, signal: AbortSignal): Promise<Share<Bus>> {
    const { endpoint, framing, serial, pauseMs, connections, pipeline } = options;
    return this.#shared.acquire(
      {
        key: JSON.stringify([endpoint, framing.name]),
        terms: JSON.stringify([serial, pauseMs, connections, pipeline]),
        open: (giveUp) => openBus(options, this.#context, { timeoutMs, signal: giveUp }),
      },
      signal,
    );
  }

  close(): void {
    this.#shared.close();
  }
}

async function openBus(
  options: ModbusOptions,
  context: BusContext,
  limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Bus> {
  const lines = await openLines(options, context, limits);
  const close = () => {
    for (const line of lines) line.close();
  };
  // All for one: a device that lost one connection has lost them all, or soon will.
  const ended = Promise.race(lines.map((line) => line.ended)).finally(close);
  return {
    ended,
    exchange: (ask) => leastBusy(lines).exchange(ask),
    cancel: (owner, error) => {
      for (const line of lines) line.cancel(owner, error);
    },
    close,
  };
}

async function openLines(
  { endpoint, serial, framing, pipeline, pauseMs, connections }: ModbusOptions,
  { clock, openStream }: BusContext,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<readonly ModbusLine[]> {
  const open = async () => {
    const stream = await openStream({ endpoint, serial, timeoutMs: timeoutMs * CONNECT_TIMES, clock, signal });
    return new ModbusLine({ stream, framing, clock, pipeline, pauseMs });
  };
  const outcomes = await Promise.allSettled(Array.from({ length: connections }, open));
  const lines = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = outcomes.find((each) => each.status === 'rejected');
  if (failed === undefined) return lines;
  for (const line of lines) line.close();
  throw failed.reason;
}

function leastBusy(lines: readonly ModbusLine[]): ModbusLine {
  let [least] = lines;
  for (const line of lines) if (least === undefined || line.load < least.load) least = line;
  if (least === undefined) throw new DriverError('Closed', 'there is no connection');
  return least;
}
