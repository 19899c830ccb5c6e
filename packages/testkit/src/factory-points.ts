/**
 * What a factory sends, second by second, the same for the same seed: floats with noise in their third significant digit, counters,
 * bool and enum, slow set-points; with jitter, gaps, rows that come late and rows that come twice.
 */

export interface FactoryOptions {
  readonly seed?: number;
  /** Default 1000: 40 % floats, 30 % counters, 20 % bool or enum, 10 % set-points. */
  readonly series?: number;
  /** Milliseconds since 1970; default 2026-01-01T00:00:00Z. */
  readonly start?: number;
  /** How many seconds; every series has a row each, but for its gaps. */
  readonly seconds: number;
}

/** A second's rows in columns, as batches of the bus have them; `series` counts from zero. */
export interface FactoryBatch {
  readonly length: number;
  readonly series: Uint32Array;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly qualities: Uint8Array;
}

export interface FactorySeries {
  readonly labels: { readonly namespace: string; readonly device: string; readonly property: string };
  readonly type: 'float64' | 'uint32' | 'bool' | 'uint8';
}

const SERIES_A_DEVICE = 10;
const GOOD = 192;
const SECOND_MS = 1000;
const JITTER_MS = 4;
const GAP_CHANCE = 1 / 2000;
const MAX_GAP_S = 60;
const LATE_CHANCE = 1 / 500;
const MAX_LATE_S = 30;
const TWICE_CHANCE = 1 / 500;

type Kind = 'float' | 'counter' | 'bool' | 'enum' | 'setpoint';

const KINDS: readonly Kind[] = [
  'float',
  'counter',
  'float',
  'bool',
  'counter',
  'float',
  'setpoint',
  'float',
  'counter',
  'enum',
];

export function factorySeries(index: number): FactorySeries {
  const device = `machine-${Math.floor(index / SERIES_A_DEVICE)}`;
  const property = `${kindOf(index)}-${index % SERIES_A_DEVICE}`;
  return { labels: { namespace: 'factory', device, property }, type: TYPES[kindOf(index)] };
}

const TYPES = { float: 'float64', counter: 'uint32', bool: 'bool', enum: 'uint8', setpoint: 'float64' } as const;

export function* factoryPoints(options: FactoryOptions): Generator<FactoryBatch> {
  const { seed = 1, series = 1000, start = Date.UTC(2026, 0, 1), seconds } = options;
  const random = generator(seed);
  const sources = Array.from({ length: series }, (_, index) => sourceOf(index, random));
  const late = new Map<number, Row[]>();
  for (let second = 0; second < seconds + MAX_LATE_S + 1; second++) {
    const rows = late.get(second) ?? [];
    late.delete(second);
    if (second < seconds) {
      for (const source of sources) {
        for (const row of rowsOf(source, start + second * SECOND_MS, random)) {
          if (random() >= LATE_CHANCE) rows.push(row);
          else hold(late, second + 1 + Math.floor(random() * MAX_LATE_S), row);
        }
      }
    }
    if (rows.length > 0) yield batchOf(rows);
  }
}

interface Row {
  readonly series: number;
  readonly time: number;
  readonly value: number;
}

interface Source {
  readonly index: number;
  /** Within the second, when it is asked. */
  readonly phase: number;
  next(): number;
  /** Seconds for which nothing comes any more. */
  gap: number;
}

function rowsOf(source: Source, second: number, random: () => number): readonly Row[] {
  const value = source.next();
  if (source.gap > 0) {
    source.gap--;
    return [];
  }
  if (random() < GAP_CHANCE) source.gap = 1 + Math.floor(random() * MAX_GAP_S);
  const time = second + source.phase + Math.round(gaussian(random) * JITTER_MS);
  const row = { series: source.index, time, value };
  return random() < TWICE_CHANCE ? [row, row] : [row];
}

function hold(late: Map<number, Row[]>, second: number, row: Row): void {
  const waiting = late.get(second);
  if (waiting === undefined) late.set(second, [row]);
  else waiting.push(row);
}

function batchOf(rows: readonly Row[]): FactoryBatch {
  return {
    length: rows.length,
    series: Uint32Array.from(rows, ({ series }) => series),
    times: Float64Array.from(rows, ({ time }) => time),
    values: Float64Array.from(rows, ({ value }) => value),
    qualities: new Uint8Array(rows.length).fill(GOOD),
  };
}

function sourceOf(index: number, random: () => number): Source {
  const phase = 50 + Math.floor(random() * 900);
  return { index, phase, gap: 0, next: SOURCES[kindOf(index)](random) };
}

const SOURCES: Readonly<Record<Kind, (random: () => number) => () => number>> = {
  float: (random) => {
    const level = 10 ** Math.floor(random() * 4);
    let place = 1 + random() * 8;
    return () => {
      place = Math.min(9.9, Math.max(1, place + gaussian(random) * 0.005));
      return Number(((place + gaussian(random) * 0.02) * level).toPrecision(3));
    };
  },
  counter: (random) => {
    const most = 1 + Math.floor(random() * 20);
    let count = Math.floor(random() * 1e6);
    return () => {
      count = random() < 1e-5 ? 0 : count + Math.floor(random() * most);
      return count;
    };
  },
  bool: (random) => {
    let value = 0;
    return () => {
      if (random() < 1 / 30) value = 1 - value;
      return value;
    };
  },
  enum: (random) => {
    let value = 0;
    return () => {
      if (random() < 1 / 60) value = Math.floor(random() * 6);
      return value;
    };
  },
  setpoint: (random) => {
    let value = 50;
    return () => {
      if (random() < 1 / 900) value = Math.round(random() * 200) / 2;
      return value;
    };
  },
};

function kindOf(index: number): Kind {
  return KINDS[index % KINDS.length] ?? 'float';
}

/** Near enough to a normal distribution, and never far out. */
function gaussian(random: () => number): number {
  return (random() + random() + random() + random() - 2) * Math.sqrt(3);
}

/** Mulberry32: small, quick, and good enough for data that only has to look real. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
