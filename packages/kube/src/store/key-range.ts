/** Prefixes as half-open ranges, in the order that JavaScript and SQLite agree on for the ASCII that keys are made of. */
import type { StoreKey } from './contract.ts';

export interface KeyRange {
  readonly from: StoreKey;
  /** Absent: to the end. */
  readonly to?: StoreKey;
}

/** The range of all keys that start with `prefix`. */
export function rangeOfPrefix(prefix: string): KeyRange {
  if (prefix === '') return { from: '' };
  const last = prefix.length - 1;
  return { from: prefix, to: prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1) };
}

/** The same range, but only what follows `key`. */
export function rangeAfter(range: KeyRange, key: StoreKey | undefined): KeyRange {
  if (key === undefined || key < range.from) return range;
  return { ...range, from: `${key}\0` };
}

export function isInRange(range: KeyRange, key: StoreKey): boolean {
  return key >= range.from && (range.to === undefined || key < range.to);
}
