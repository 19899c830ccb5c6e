/** The series of a store: their numbers, labels and types, found by label sets and by matchers, and the last row of each. */
import type { Boxed, Scalar, SeriesId } from '../contract/index.ts';
import type { Labels, LastRow, Matcher, StoredSeries, StoredType } from './contract.ts';
import { seriesErrors } from './errors.ts';
import { areAllTrue, LabelIndex, testsOf } from './matching.ts';
import { MICROS } from './rows.ts';

const MAX_LABELS = 32;
const MAX_LABEL_NAME = 128;
const MAX_LABEL_VALUE = 1024;
const FIRST_SERIES = 256;

export interface LastValue {
  /** Microseconds. */
  readonly time: number;
  readonly value: Scalar | Boxed;
  readonly quality: number;
}

export class Catalog {
  readonly #limit: number;
  /** By number, forgotten ones too: whoever has a number may go on with it. */
  readonly #series: (StoredSeries | undefined)[] = [];
  readonly #forgotten = new Map<string, SeriesId>();
  readonly #byKey = new Map<string, SeriesId>();
  readonly #index = new LabelIndex();
  readonly #boxed = new Map<SeriesId, Boxed>();
  #times = new Float64Array(FIRST_SERIES).fill(Number.NEGATIVE_INFINITY);
  #values = new Float64Array(FIRST_SERIES);
  #qualities = new Uint8Array(FIRST_SERIES);

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Numbers of series are below. */
  get end(): number {
    return this.#series.length;
  }

  get size(): number {
    return this.#byKey.size;
  }

  find(labels: Labels): SeriesId | undefined {
    return this.#byKey.get(keyOf(labels));
  }

  /** One that was forgotten, with its number, or a new one. Throws where the labels are no labels, or there are too many series. */
  create(labels: Labels, type: StoredType): StoredSeries {
    const problem = problemOf(labels);
    if (problem !== undefined) throw seriesErrors.LABELS({ problem });
    if (this.size >= this.#limit) throw seriesErrors.LIMIT({ limit: this.#limit, what: 'series' });
    const id = this.#forgotten.get(keyOf(labels)) ?? this.#series.length;
    const series = { id, labels: normal(labels), type };
    this.restore(series);
    return series;
  }

  /** As it was before a restart. */
  restore(series: StoredSeries): void {
    const { id, labels } = series;
    this.#series[id] = series;
    this.#byKey.set(keyOf(labels), id);
    this.#forgotten.delete(keyOf(labels));
    this.#index.add(id, labels);
    if (id >= this.#times.length) this.#grow(id + 1);
  }

  describe(id: SeriesId): StoredSeries | undefined {
    return this.#series[id];
  }

  get hasForgotten(): boolean {
    return this.#forgotten.size > 0;
  }

  isForgotten(id: SeriesId): boolean {
    const series = this.#series[id];
    return series !== undefined && this.#forgotten.has(keyOf(series.labels));
  }

  /** Its rows are gone: it is not found any more, until rows come for it again. */
  forget({ id, labels }: StoredSeries): void {
    this.#byKey.delete(keyOf(labels));
    this.#forgotten.set(keyOf(labels), id);
    this.#index.remove(id, labels);
    this.#times[id] = Number.NEGATIVE_INFINITY;
    this.#boxed.delete(id);
  }

  /** By number. Throws where a pattern is none, or more match than `limit`. */
  select(matchers: readonly Matcher[], limit: number): readonly StoredSeries[] {
    const tests = testsOf(matchers);
    const found: StoredSeries[] = [];
    for (const id of this.#index.candidates(tests) ?? Uint32Array.from(this.#byKey.values()).sort()) {
      const series = this.#series[id];
      if (series === undefined || !areAllTrue(tests, series.labels)) continue;
      if (found.push(series) > limit) throw seriesErrors.QUERY({ problem: `more than ${limit} series match` });
    }
    return found;
  }

  /** Those that have a last row, before their time, in microseconds. */
  endedBefore(timeOf: (id: SeriesId) => number): readonly StoredSeries[] {
    return this.select([], Number.POSITIVE_INFINITY).filter(({ id }) => {
      const last = this.#times[id] ?? Number.NEGATIVE_INFINITY;
      return last < timeOf(id) && last > Number.NEGATIVE_INFINITY;
    });
  }

  labelNames(): readonly string[] {
    return this.#index.names();
  }

  labelValues(label: string): readonly string[] {
    return this.#index.valuesOf(label);
  }

  /** A row came: the last is the one with the latest time, and of these the one that came last. */
  touch(id: SeriesId, time: number, value: number, quality: number, boxed: Boxed | undefined): void {
    if (time < (this.#times[id] ?? 0)) return;
    this.#times[id] = time;
    this.#values[id] = value;
    this.#qualities[id] = quality;
    if (boxed !== undefined) this.#boxed.set(id, boxed);
    else if (this.#boxed.size > 0) this.#boxed.delete(id);
  }

  restoreLast(id: SeriesId, { time, value, quality }: LastValue): void {
    const isNumber = typeof value === 'number';
    this.touch(id, time, isNumber ? value : Number.NaN, quality, isNumber ? undefined : value);
  }

  lastOf(id: SeriesId): LastValue | undefined {
    const time = this.#times[id] ?? Number.NEGATIVE_INFINITY;
    if (time === Number.NEGATIVE_INFINITY) return undefined;
    return { time, value: this.#boxed.get(id) ?? this.#values[id] ?? 0, quality: this.#qualities[id] ?? 0 };
  }

  last(matchers: readonly Matcher[], limit: number): readonly LastRow[] {
    return this.select(matchers, limit).flatMap((series) => {
      const last = this.lastOf(series.id);
      return last === undefined ? [] : [{ series, ...last, time: last.time / MICROS }];
    });
  }

  #grow(needed: number): void {
    const capacity = Math.max(needed, this.#times.length * 2);
    const times = new Float64Array(capacity).fill(Number.NEGATIVE_INFINITY, this.#times.length);
    const values = new Float64Array(capacity);
    const qualities = new Uint8Array(capacity);
    times.set(this.#times);
    values.set(this.#values);
    qualities.set(this.#qualities);
    this.#times = times;
    this.#values = values;
    this.#qualities = qualities;
  }
}

function problemOf(labels: Labels): string | undefined {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) return `more than ${MAX_LABELS} labels`;
  if (entries.every(([, value]) => value === '')) return 'no labels';
  for (const [name, value] of entries) {
    if (name === '' || name.length > MAX_LABEL_NAME) return `a label's name of ${name.length} characters`;
    if (value.length > MAX_LABEL_VALUE) return `a value of label ${name} of more than ${MAX_LABEL_VALUE} characters`;
  }
  return undefined;
}

/** By name; an empty label is none. */
function normal(labels: Labels): Labels {
  return Object.fromEntries(sortedEntries(labels));
}

function keyOf(labels: Labels): string {
  return JSON.stringify(sortedEntries(labels));
}

function sortedEntries(labels: Labels): readonly (readonly [string, string])[] {
  return Object.entries(labels)
    .filter(([, value]) => value !== '')
    .sort(([left], [right]) => (left < right ? -1 : 1));
}
