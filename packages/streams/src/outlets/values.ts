/** Rows one by one, as engines take them. */
import { type Boxed, isBad, Quality, type Scalar } from '../contract/index.ts';
import type { StoredType } from '../store/index.ts';
import type { OutletDrop, OutletRows, Sent } from './target.ts';

export interface OutletRow {
  /** Milliseconds since 1970, with fractions. */
  readonly time: number;
  readonly value: Scalar | Boxed;
  readonly quality: number;
}

/** A value that an engine does not take is the reason for which it is dropped. */
export type Converted<T> = { readonly value: T } | { readonly dropped: OutletDrop };

/** Counts what goes and what is dropped. */
export class Tally {
  #rows = 0;
  readonly #dropped: Partial<Record<OutletDrop, number>> = {};

  sent(rows = 1): void {
    this.#rows += rows;
  }

  drop(reason: OutletDrop, rows = 1): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + rows;
  }

  result(): Sent {
    return { rows: this.#rows, dropped: this.#dropped };
  }
}

/** The rows of a series whose quality is not bad; the others are dropped. */
export function* goodRows({ rows }: OutletRows, tally: Tally): Generator<OutletRow> {
  for (let index = 0; index < rows.length; index++) {
    const quality = rows.qualities[index] ?? Quality.bad;
    if (isBad(quality)) {
      tally.drop('BadQuality');
      continue;
    }
    const value = rows.boxed?.get(index) ?? rows.values[index] ?? Number.NaN;
    yield { time: rows.times[index] ?? 0, value, quality };
  }
}

/** As a float64; integers beyond 2^53 are rounded. */
export function numberOf(value: Scalar | Boxed): Converted<number> {
  if (typeof value === 'number') return { value };
  return typeof value === 'bigint' ? { value: Number(value) } : { dropped: 'NotNumeric' };
}

const INTEGERS: ReadonlySet<StoredType> = new Set([
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
]);

export function isInteger(type: StoredType): boolean {
  return INTEGERS.has(type);
}

/** What stands for the value in text and JSON: bytes as base64, datetime as ISO 8601, integers beyond 2^53 in decimals. */
export function plainOf(value: Scalar | Boxed, type: StoredType): unknown {
  if (typeof value === 'number') {
    if (type === 'bool') return value !== 0;
    if (type === 'datetime') return isoOf(value);
    return Number.isFinite(value) ? value : null;
  }
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value;
}

export function textOf(value: Scalar | Boxed, type: StoredType): string {
  const plain = plainOf(value, type);
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}

export function isoOf(time: number): string {
  return new Date(time).toISOString();
}
