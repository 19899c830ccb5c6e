/** The driver of devices that are not there: signals, a memory to write to, and faults on demand. */
import { parseDuration } from '@skerry/api/durations';
import type { Clock } from '@skerry/base';
import type { RawValue } from '../../../values/encoding.ts';
import type {
  CallRequest,
  DeviceSettings,
  Driver,
  DriverContext,
  EventPoint,
  EventSink,
  Point,
  PointWrite,
  ReadGroup,
  SampleSink,
  Session,
} from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { parseReplay, type Replay } from './replay.ts';
import { createSignal, type Signal, type SignalAddress } from './signal.ts';

export type Fault = 'None' | 'Unreachable' | 'Silent' | 'Refuses' | 'Garbage' | 'Ignores';

/** What a simulated device remembers from one session to the next. */
export interface SimulatedDevice {
  readonly startedAt: number;
  /** Of properties with the signal Memory. */
  readonly memory: Map<string, RawValue>;
  /** Above that of the settings, where it is set. */
  fault: Fault | undefined;
  /** Ends the sessions that there are, as a pulled plug would. */
  readonly onCut: Set<() => void>;
}

export interface Simulator extends Driver {
  /** The device behind a Device, to look into it and to break it. */
  device(namespace: string, name: string): SimulatedDevice;
}

export function createSimulator(clock: Clock): Simulator {
  const devices = new Map<string, SimulatedDevice>();
  const device = (namespace: string, name: string): SimulatedDevice => {
    const key = `${namespace}/${name}`;
    const known = devices.get(key);
    if (known !== undefined) return known;
    const made = { startedAt: clock.monotonic(), memory: new Map(), fault: undefined, onCut: new Set<() => void>() };
    devices.set(key, made);
    return made;
  };
  return {
    protocol: 'simulator',
    device,
    connect: async (settings, context) => {
      const session = new SimulatedSession(settings, context, device(settings.namespace, settings.name));
      await session.answer(context.signal);
      return session;
    },
  };
}

/** How often a subscription looks for changes. */
const SUBSCRIPTION_MS = 100;

class SimulatedSession implements Session {
  readonly #settings: DeviceSettings;
  readonly #clock: Clock;
  readonly #device: SimulatedDevice;
  readonly #replay: Replay | undefined;
  readonly #latencyMs: number;
  readonly #closing = new AbortController();
  readonly #ended = Promise.withResolvers<DriverError | undefined>();
  readonly #cut = () => this.#end(new DriverError('Unreachable', 'the connection was cut'));

  constructor(settings: DeviceSettings, { clock }: DriverContext, device: SimulatedDevice) {
    this.#settings = settings;
    this.#clock = clock;
    this.#device = device;
    this.#replay = replayOf(settings);
    this.#latencyMs = parseDuration(String(settings.options['latency'] ?? '0')) ?? 0;
    device.onCut.add(this.#cut);
  }

  get ended(): Promise<DriverError | undefined> {
    return this.#ended.promise;
  }

  close(): Promise<void> {
    this.#end(undefined);
    return Promise.resolve();
  }

  group(points: readonly Point[]): ReadGroup {
    const signals = points.map((point) => this.#signalOf(point));
    return {
      read: async (sink, signal) => {
        await this.answer(signal);
        for (const [index, each] of signals.entries()) this.#tell(sink, index, each);
      },
    };
  }

  async subscribe(points: readonly Point[], sink: SampleSink, signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    const signals = points.map((point) => this.#signalOf(point));
    const known: (RawValue | undefined)[] = [];
    const look = () => {
      if (signal.aborted || this.#closing.signal.aborted) return;
      if (this.#fault === 'None' || this.#fault === 'Ignores') {
        for (const [index, each] of signals.entries()) {
          const value = each.at(this.#elapsed());
          if (value === known[index]) continue;
          known[index] = value;
          this.#tell(sink, index, each);
        }
      }
      this.#clock.after(SUBSCRIPTION_MS, look, { unref: true });
    };
    look();
  }

  async write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    await this.answer(signal);
    return writes.map(({ point, value, mask }) => {
      if (mask !== undefined) return new DriverError('Unsupported', 'the simulator writes no single bits');
      if (this.#fault === 'Refuses')
        return new DriverError('Rejected', `the device refuses to write ${point.property}`);
      if (addressOf(point).signal !== 'Memory')
        return new DriverError('Rejected', `${point.property} is no Memory, so it cannot be written`);
      if (this.#fault !== 'Ignores') this.#device.memory.set(point.property, value);
      return undefined;
    });
  }

  /** Each event once in its period, with the count of it as every field. */
  async listen(events: readonly EventPoint[], sink: EventSink, signal: AbortSignal): Promise<void> {
    await this.answer(signal);
    for (const [index, { address, fields }] of events.entries()) {
      const period = Math.max(1, parseDuration(String(address['period'] ?? '10s')) ?? 10_000);
      void this.#happen(period, signal, (count) =>
        sink.event(index, Object.fromEntries(fields.map(({ name }) => [name, count])), this.#clock.now()),
      );
    }
  }

  async #happen(period: number, signal: AbortSignal, tell: (count: number) => void): Promise<void> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    for (let count = 1; !either.aborted; count++) {
      await this.#clock.sleep(period, either).catch(() => {});
      if (!either.aborted && this.#fault === 'None') tell(count);
    }
  }

  async call(request: CallRequest, signal: AbortSignal): Promise<Readonly<Record<string, RawValue>>> {
    await this.answer(signal);
    if (this.#fault === 'Refuses') throw new DriverError('Rejected', `the device refuses ${request.command}`);
    if (request.address['action'] === 'Reset') this.#device.memory.clear();
    const told = new Map(request.input.map(({ name, value }) => [name, value]));
    return Object.fromEntries(
      request.output.flatMap(({ name }) => (told.has(name) ? [[name, told.get(name) ?? 0]] : [])),
    );
  }

  /** What every request costs: its latency, and what the fault makes of it. */
  async answer(signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    if (this.#fault === 'Unreachable')
      this.#end(new DriverError('Unreachable', 'the simulated device is switched off'));
    await this.#rest(this.#latencyMs, either);
    if (this.#fault !== 'Silent') return;
    await this.#rest(this.#settings.timeoutMs, either);
    throw new DriverError('TimedOut', `no answer within ${this.#settings.timeoutMs} ms`);
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    try {
      if (ms > 0) await this.#clock.sleep(ms, signal);
      signal.throwIfAborted();
    } catch (cause) {
      throw await this.#reason(cause);
    }
  }

  async #reason(cause: unknown): Promise<DriverError> {
    if (!this.#closing.signal.aborted) return new DriverError('Closed', 'the request was given up', { cause });
    return (await this.#ended.promise) ?? new DriverError('Closed', 'the session was closed');
  }

  get #fault(): Fault {
    return this.#device.fault ?? (this.#settings.options['fault'] as Fault | undefined) ?? 'None';
  }

  #elapsed(): number {
    return this.#clock.monotonic() - this.#device.startedAt;
  }

  #signalOf(point: Point): Signal {
    const address = addressOf(point);
    const signal = createSignal(address, this.#replay);
    if (address.signal !== 'Memory') return signal;
    return { at: (elapsedMs) => this.#device.memory.get(point.property) ?? signal.at(elapsedMs) };
  }

  #tell(sink: SampleSink, index: number, signal: Signal): void {
    if (this.#fault === 'Refuses') {
      sink.fail(index, new DriverError('Rejected', 'the device refuses'));
      return;
    }
    const value = this.#fault === 'Garbage' ? '\u0000garbage' : signal.at(this.#elapsed());
    if (value === undefined)
      sink.fail(
        index,
        new DriverError(
          'NotFound',
          this.#replay === undefined ? 'options.file names no file to replay' : 'the file has no value here',
        ),
      );
    else sink.value(index, value, this.#clock.now());
  }

  #end(error: DriverError | undefined): void {
    this.#device.onCut.delete(this.#cut);
    this.#ended.resolve(error);
    this.#closing.abort();
  }
}

function addressOf({ address, property }: Point): SignalAddress {
  const { signal, period, minimum, maximum, step, seed, column, initial } = address;
  return {
    signal: signal as SignalAddress['signal'],
    periodMs: Math.max(1, parseDuration(String(period ?? '10s')) ?? 10_000),
    minimum: Number(minimum ?? 0),
    maximum: Number(maximum ?? 100),
    step: Number(step ?? 1),
    seed: Number(seed ?? 1),
    column: String(column ?? property),
    initial: (initial as { readonly value?: RawValue } | undefined)?.value,
  };
}

function replayOf({ options, files }: DeviceSettings): Replay | undefined {
  const { file, loop } = options;
  if (typeof file !== 'string') return undefined;
  const csv = files[file];
  if (csv === undefined) throw new DriverError('Misconfigured', `the ConfigMap has no key ${file}`);
  return parseReplay(new TextDecoder().decode(csv), loop !== false);
}
