/** A device that is driven here, as the rest of the worker sees it: writes, reads and calls in values of its model. */
import type { Device } from '../../resources/device.ts';
import type { ModelParameter } from '../../resources/device-model.ts';
import type { HistoryValue } from '../../telemetry/history-request.ts';
import { compileCodec } from '../../values/codec.ts';
import type { RawValue } from '../../values/encoding.ts';
import { type Value, ValueError } from '../../values/value.ts';
import { parseValueType, type ValueType } from '../../values/value-type.ts';
import type { PointWrite, ReadGroup, SampleSink, Session } from '../driver.ts';
import { DriverError, driverErrorOf } from '../driver-error.ts';
import { readHistoryOf } from './device-history.ts';
import type { PlannedPoint } from './device-plan.ts';
import type { DeviceRunner } from './device-runner.ts';
import type { DeviceCondition, LiveDevice } from './live-device.ts';
import { ReadBackGroups } from './read-back-groups.ts';

export class DrivenDevice implements LiveDevice {
  readonly runner: DeviceRunner;
  /** Replaced when the API shows a newer one that changes nothing for the driver. */
  device: Device;
  readonly #points: ReadonlyMap<string, PlannedPoint>;
  #groups: ReadBackGroups | undefined;

  constructor(runner: DeviceRunner, device: Device) {
    this.runner = runner;
    this.device = device;
    this.#points = new Map(runner.plan.points.map((each) => [each.property.name, each]));
  }

  get namespace(): string {
    return this.runner.plan.namespace;
  }

  get name(): string {
    return this.runner.plan.name;
  }

  get model(): LiveDevice['model'] {
    return this.runner.plan.model;
  }

  get points(): readonly PlannedPoint[] {
    return this.runner.plan.points;
  }

  get condition(): DeviceCondition {
    return this.runner.condition;
  }

  get isConnected(): boolean {
    return this.runner.session !== undefined;
  }

  get lastGoodAt(): number | undefined {
    return this.runner.pipeline.lastGoodAt;
  }

  point(property: string): PlannedPoint | undefined {
    return this.#points.get(property);
  }

  async write(
    values: ReadonlyMap<string, Value>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, DriverError | undefined>> {
    const outcomes = new Map<string, DriverError | undefined>();
    const writes = new Map<string, PointWrite>();
    for (const [property, value] of values) {
      const write = this.#encode(property, value);
      if (write instanceof DriverError) outcomes.set(property, write);
      else writes.set(property, write);
    }
    const results = await this.#send([...writes.values()], signal);
    for (const [at, property] of [...writes.keys()].entries()) outcomes.set(property, results[at]);
    const failed = [...outcomes.values()].filter((outcome) => outcome !== undefined).length;
    this.runner.countWrites(outcomes.size - failed, failed);
    return outcomes;
  }

  async readBack(
    properties: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Value | DriverError>> {
    const points = properties.flatMap((property) => this.#points.get(property) ?? []);
    const seen = new Map<string, Value | DriverError>();
    const sink = this.runner.pipeline.sinkFor(points);
    const both: SampleSink = {
      value: (index, raw, time, quality) => {
        sink.value(index, raw, time, quality);
        const point = points[index];
        if (point !== undefined) seen.set(point.property.name, decodeOrSay(point, raw));
      },
      fail: (index, error) => {
        sink.fail(index, error);
        seen.set(points[index]?.property.name ?? '', error);
      },
    };
    try {
      await this.#groupOf(points).read(both, signal);
    } catch (error) {
      for (const { property } of points) if (!seen.has(property.name)) seen.set(property.name, driverErrorOf(error));
    }
    // Who hears what became of a write is to find the value it is about.
    this.runner.pipeline.flush();
    return seen;
  }

  async history(
    property: string,
    range: Parameters<LiveDevice['history']>[1],
    signal: AbortSignal,
  ): Promise<readonly HistoryValue[]> {
    const planned = this.#points.get(property);
    if (planned === undefined) throw new DriverError('NotFound', `the device has no visitor for ${property}`);
    const { protocol } = this.runner.plan;
    return readHistoryOf(this.#session(), planned, { ...range, protocol, signal }).catch((error: unknown) => {
      throw driverErrorOf(error);
    });
  }

  async call(
    command: string,
    input: ReadonlyMap<string, Value>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Value>> {
    const declared = this.model.commands.get(command);
    const address = this.runner.plan.commands.get(command);
    if (declared === undefined || address === undefined)
      throw new DriverError('NotFound', `the device has no command ${command}`);
    const session = this.#session();
    if (session.call === undefined) throw new DriverError('Unsupported', 'the driver calls no commands');
    const output = (declared.output ?? []).map((parameter) => ({
      name: parameter.name,
      type: this.#typeOf(parameter),
    }));
    const given = (declared.input ?? []).flatMap((parameter) => {
      const value = input.get(parameter.name);
      return value === undefined
        ? []
        : [{ name: parameter.name, type: this.#typeOf(parameter), value: value as RawValue }];
    });
    const answered = await session.call({ command, address, input: given, output }, signal).catch((error: unknown) => {
      throw driverErrorOf(error);
    });
    return new Map(
      output.flatMap(({ name, type }) => {
        const raw = answered[name];
        return raw === undefined ? [] : [[name, compileCodec(type, undefined).decode(raw)] as const];
      }),
    );
  }

  #typeOf({ type }: ModelParameter): ValueType {
    const parsed = parseValueType(type, this.model.structs);
    if (typeof parsed === 'string') throw new DriverError('Misconfigured', `type ${type} ${parsed}`);
    return parsed;
  }

  #groupOf(points: readonly PlannedPoint[]): ReadGroup {
    const session = this.#session();
    if (this.#groups?.isOf(session) !== true) this.#groups = new ReadBackGroups(session);
    return this.#groups.of(points);
  }

  #session(): Session {
    const { session } = this.runner;
    if (session === undefined) throw new DriverError('Unreachable', 'the device is not connected');
    return session;
  }

  #encode(property: string, value: Value): PointWrite | DriverError {
    const planned = this.#points.get(property);
    if (planned === undefined) return new DriverError('NotFound', `the device has no visitor for ${property}`);
    const { codec, point } = planned;
    try {
      const raw = codec.encode(value, this.runner.session?.wantsBytes === true);
      return { point, value: raw, ...(codec.mask === undefined ? {} : { mask: codec.mask }) };
    } catch (error) {
      if (error instanceof ValueError) return new DriverError('Misconfigured', `the value ${error.message}`);
      throw error;
    }
  }

  async #send(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    if (writes.length === 0) return [];
    try {
      const session = this.#session();
      if (session.write === undefined) throw new DriverError('Unsupported', 'the driver writes nothing');
      return await session.write(writes, signal);
    } catch (error) {
      return writes.map(() => driverErrorOf(error));
    }
  }
}

function decodeOrSay({ codec }: PlannedPoint, raw: RawValue): Value | DriverError {
  try {
    return codec.decode(raw);
  } catch (error) {
    return new DriverError('Malformed', `the value ${(error as Error).message}`);
  }
}
