/** What one Sparkplug edge node, or one of its devices, has told of itself: births, data by alias, deaths. Pure. */
import type { RawValue } from '../../../../values/encoding.ts';
import { decodeSparkplug, encodeSparkplug, type Metric, typedValue } from './payload.ts';

export interface SparkplugName {
  readonly group: string;
  readonly node: string;
  readonly device?: string;
}

export interface Told {
  readonly values: readonly MetricValue[];
  /** Why nothing of it is known any more. */
  readonly death?: string;
  /** What came cannot be understood before a birth. */
  readonly needsBirth?: boolean;
}

export interface MetricValue {
  readonly metric: string;
  /** Undefined: null. */
  readonly value: RawValue | undefined;
  readonly time: number | undefined;
}

const NAMESPACE = 'spBv1.0';
const HEARD = new Set(['NBIRTH', 'NDATA', 'NDEATH', 'DBIRTH', 'DDATA', 'DDEATH']);
const REBIRTH = 'Node Control/Rebirth';
const BOOLEAN = 11;
const NOTHING: Told = { values: [] };

interface Known {
  readonly name: string;
  readonly datatype: number;
}

export class SparkplugMetrics {
  readonly #name: SparkplugName;
  readonly #byAlias = new Map<bigint, Known>();
  readonly #byName = new Map<string, Known>();
  #seq: number | undefined;
  #born: bigint | undefined;

  constructor(name: SparkplugName) {
    this.#name = name;
  }

  /** All of the edge node: its messages are numbered over all of its devices. */
  get filter(): string {
    return `${NAMESPACE}/${this.#name.group}/+/${this.#name.node}/#`;
  }

  /** Where a request for all births goes. */
  get rebirthTopic(): string {
    return `${NAMESPACE}/${this.#name.group}/NCMD/${this.#name.node}`;
  }

  get commandTopic(): string {
    const { device } = this.#name;
    return device === undefined
      ? this.rebirthTopic
      : `${NAMESPACE}/${this.#name.group}/DCMD/${this.#name.node}/${device}`;
  }

  rebirth(now: number): Uint8Array {
    return encodeSparkplug({
      timestamp: now,
      metrics: [{ name: REBIRTH, timestamp: now, datatype: BOOLEAN, value: true }],
    });
  }

  /** Undefined for a metric that no birth has named. */
  command(metric: string, value: RawValue, now: number): Uint8Array | undefined {
    const known = this.#byName.get(metric);
    if (known === undefined) return undefined;
    return encodeSparkplug({
      timestamp: now,
      metrics: [{ name: metric, timestamp: now, datatype: known.datatype, value }],
    });
  }

  /** Throws an Error when the bytes are no payload. */
  hear(topic: string, payload: Uint8Array): Told {
    const [, , type = '', , device] = topic.split('/');
    if (!HEARD.has(type)) return NOTHING;
    const { metrics, timestamp, seq } = decodeSparkplug(payload);
    if (type === 'NDEATH') return this.#onNodeDeath(metrics);
    const isOwn = device === this.#name.device;
    if (type === 'DDEATH' && isOwn) return this.#die('the device has said that it is gone');
    if (type === 'NBIRTH') this.#born = birthNumber(metrics);
    const isGap = this.#isGap(seq) && type !== 'NBIRTH';
    if (!isOwn) return isGap ? { values: [], needsBirth: true } : NOTHING;
    const told = type.endsWith('BIRTH') ? this.#onBirth(metrics, timestamp) : this.#onData(metrics, timestamp);
    return isGap ? { ...told, needsBirth: true } : told;
  }

  #onNodeDeath(metrics: readonly Metric[]): Told {
    const number = birthNumber(metrics);
    // The death of a connection before the one that is born now.
    if (number !== undefined && this.#born !== undefined && number !== this.#born) return NOTHING;
    return this.#die('the edge node is offline');
  }

  #die(death: string): Told {
    this.#byAlias.clear();
    this.#byName.clear();
    this.#seq = undefined;
    return { values: [], death };
  }

  #onBirth(metrics: readonly Metric[], timestamp: number | undefined): Told {
    this.#byAlias.clear();
    this.#byName.clear();
    for (const { name, alias, datatype } of metrics) {
      if (name === undefined || datatype === undefined) continue;
      const known = { name, datatype };
      this.#byName.set(name, known);
      if (alias !== undefined) this.#byAlias.set(alias, known);
    }
    return this.#onData(metrics, timestamp);
  }

  #onData(metrics: readonly Metric[], timestamp: number | undefined): Told {
    const values: MetricValue[] = [];
    let needsBirth = false;
    for (const metric of metrics) {
      const known = this.#knownOf(metric);
      if (known === undefined) needsBirth = true;
      // What is of the past is no news.
      else if (metric.isHistorical !== true) values.push(metricValue(metric, known, timestamp));
    }
    return needsBirth ? { values, needsBirth } : { values };
  }

  #knownOf({ name, alias }: Metric): Known | undefined {
    if (name !== undefined && name !== '') return this.#byName.get(name);
    return alias === undefined ? undefined : this.#byAlias.get(alias);
  }

  /** Numbers go from 0 to 255 over all messages of an edge node. */
  #isGap(seq: number | undefined): boolean {
    const before = this.#seq;
    this.#seq = seq;
    return before === undefined || seq !== (before + 1) % 256;
  }
}

function birthNumber(metrics: readonly Metric[]): bigint | undefined {
  const value = metrics.find(({ name }) => name === 'bdSeq')?.value;
  return typeof value === 'bigint' || typeof value === 'number' ? BigInt(value) : undefined;
}

function metricValue({ value, timestamp }: Metric, { name, datatype }: Known, sent: number | undefined): MetricValue {
  return {
    metric: name,
    value: value === undefined ? undefined : typedValue(value, datatype),
    time: timestamp ?? sent,
  };
}
