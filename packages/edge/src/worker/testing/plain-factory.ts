/** What becomes of the factory's points at each station, worked out plainly: from the points alone, with nothing of the product. */
import type { FactoryBatch } from '@skerry/testkit';

export interface Sums {
  readonly count: number;
  readonly sum: number;
}

/** A row of a series, in the order in which they come. */
interface Row {
  readonly time: number;
  readonly value: number;
}

export const WINDOW_MS = 60_000;
export const HIGH = 5;

export class PlainFactory {
  readonly raw: Row[][];
  readonly cleaned: Row[][];
  duplicates = 0;
  unchanged = 0;
  readonly #isChangeOnly: (series: number) => boolean;

  constructor(series: number, isChangeOnly: (series: number) => boolean) {
    this.raw = Array.from({ length: series }, () => []);
    this.cleaned = Array.from({ length: series }, () => []);
    this.#isChangeOnly = isChangeOnly;
  }

  add({ length, series, times, values }: FactoryBatch): void {
    for (let row = 0; row < length; row++)
      this.#addRow(series[row] ?? 0, { time: times[row] ?? 0, value: values[row] ?? 0 });
  }

  /** Cleaning drops what is said twice in a row, and where only changes count, what is as before. */
  #addRow(series: number, row: Row): void {
    const raw = this.raw[series] ?? [];
    const cleaned = this.cleaned[series] ?? [];
    const before = raw.at(-1);
    raw.push(row);
    if (before?.time === row.time && before.value === row.value) this.duplicates++;
    else if (this.#isChangeOnly(series) && cleaned.at(-1)?.value === row.value) this.unchanged++;
    else cleaned.push(row);
  }
}

/** What a rule lets through. */
export function high(rows: readonly Row[]): readonly Row[] {
  return rows.filter(({ value }) => value > HIGH);
}

/** What a rule makes of each window: its end, the mean and how many there were. */
export function means(rows: readonly Row[]): readonly (Row & { readonly n: number })[] {
  const windows = Map.groupBy(rows, ({ time }) => Math.floor(time / WINDOW_MS));
  return [...windows].map(([window, each]) => {
    const value = each.reduce((sum, row) => sum + row.value, 0) / each.length;
    return { time: (window + 1) * WINDOW_MS, value, n: each.length };
  });
}

export function sumsOf(rows: readonly Row[]): Sums {
  return { count: rows.length, sum: rows.reduce((sum, { value }) => sum + value, 0) };
}

/** A store has one row of each time: the one that came last. */
export function storedSums(rows: readonly Row[]): Sums {
  const stored = new Map(rows.map(({ time, value }) => [time, value]));
  return { count: stored.size, sum: [...stored.values()].reduce((sum, value) => sum + value, 0) };
}
