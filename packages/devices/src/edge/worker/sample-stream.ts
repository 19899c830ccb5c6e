/** Every sample in the order of the bus, for other processes of the node: `GET /samples`, lines of JSON in columns. */
import type { ServerResponse } from 'node:http';
import {
  type Batch,
  BatchBuilder,
  type Series,
  type SeriesId,
  type Subscription,
  valueAt,
} from '@skerry/streams/contract';
import { isInShare, type SampleLine, type SampleRows, type Share } from '../../telemetry/samples.ts';
import { valueFromBus, valueToJson } from '../../values/value.ts';
import type { ValueType } from '../../values/value-type.ts';
import type { DataPlane } from './data-worker.ts';
import type { DeviceEvent } from './live-device.ts';

/** All of them by default. */
export interface WantedSamples {
  readonly namespace?: string;
  readonly share?: Share;
}

/** Begins with the last value of each series; what comes faster than it is read waits, and then is lost and counted. */
export function streamSamples(plane: DataPlane, wanted: WantedSamples, response: ServerResponse): void {
  const stream = new SampleStream(plane, wanted, response);
  response.on('close', () => stream.close());
  void stream.run();
}

class SampleStream {
  readonly #plane: DataPlane;
  readonly #wanted: WantedSamples;
  readonly #response: ServerResponse;
  readonly #subscription: Subscription;
  readonly #endEvents: () => void;
  /** Of each series that was looked at, with what was known of it then: a new plan of the device registers it anew. */
  readonly #types = new Map<SeriesId, { readonly facts: Series; readonly type: ValueType | undefined }>();
  #dropped = 0;

  constructor(plane: DataPlane, wanted: WantedSamples, response: ServerResponse) {
    this.#plane = plane;
    this.#wanted = wanted;
    this.#response = response;
    this.#subscription = plane.bus.subscribe({ name: 'samples' });
    this.#endEvents = plane.devices.onEvent((event) => this.#tellEvent(event));
  }

  async run(): Promise<void> {
    this.#tellLast();
    for await (const batch of this.#subscription) {
      this.#tellBatch(batch);
      if (this.#response.writableNeedDrain) await this.#drained();
    }
    this.#response.end();
  }

  close(): void {
    this.#subscription.close();
    this.#endEvents();
  }

  #tellLast(): void {
    const { devices, last } = this.#plane;
    let builder = new BatchBuilder();
    for (const { series } of devices.all().flatMap(({ points }) => points)) {
      const sample = last.get(series);
      if (sample === undefined) continue;
      builder.add(series, sample.time, sample.value, sample.quality);
      if (!builder.isFull) continue;
      this.#tellBatch(builder.take());
      builder = new BatchBuilder();
    }
    this.#tellBatch(builder.take());
  }

  #tellBatch(batch: Batch | undefined): void {
    if (batch === undefined) return;
    const rows: SampleRows = { series: [], times: [], values: [], qualities: [] };
    for (let row = 0; row < batch.length; row++) {
      const series = batch.series[row] ?? 0;
      const type = this.#typeOf(series);
      if (type === undefined) continue;
      rows.series.push(series);
      rows.times.push(batch.times[row] ?? 0);
      rows.values.push(jsonOf(type, batch, row));
      rows.qualities.push(batch.qualities[row] ?? 0);
    }
    if (rows.series.length > 0) this.#write({ rows });
    const { dropped } = this.#subscription;
    if (dropped > this.#dropped) this.#write({ dropped: dropped - this.#dropped });
    this.#dropped = dropped;
  }

  /** Undefined for a series that nobody here asked about. */
  #typeOf(id: SeriesId): ValueType | undefined {
    const facts = this.#plane.series.describe(id);
    if (facts === undefined) return undefined;
    const known = this.#types.get(id);
    if (known?.facts === facts) return known.type;
    const type = this.#describe(id, facts);
    this.#types.set(id, { facts, type });
    return type;
  }

  #describe(id: SeriesId, { namespace, object: device, property }: Series): ValueType | undefined {
    if (!this.#isWanted(namespace, device)) return undefined;
    const type = this.#plane.devices.get(namespace, device)?.point(property)?.property.valueType;
    if (type !== undefined) this.#write({ series: { id, namespace, device, property } });
    return type;
  }

  #tellEvent({ namespace, device, event, time, fields }: DeviceEvent): void {
    if (!this.#isWanted(namespace, device)) return;
    const told = Object.fromEntries([...fields].map(([name, value]) => [name, String(value)]));
    this.#write({ event: { namespace, device, event, time, fields: told } });
  }

  #isWanted(namespace: string, device: string): boolean {
    const { namespace: only = namespace, share } = this.#wanted;
    return namespace === only && (share === undefined || isInShare(device, share));
  }

  #write(line: SampleLine): void {
    this.#response.write(`${JSON.stringify(line)}\n`);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#response.once('drain', resolve);
      this.#response.once('close', resolve);
    });
  }
}

/** What the column holds stays a number: bool is 0 or 1, a time is milliseconds. No value is null. */
function jsonOf(type: ValueType, batch: Batch, row: number): unknown {
  const value = valueAt(batch, row);
  if (typeof value !== 'number') return valueToJson(type, valueFromBus(type, value));
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? null : String(value);
}
