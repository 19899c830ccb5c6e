/** The small checks that every kind's validation is made of. Each adds what it finds; none throws. */
import { isObject, type JsonObject } from '../../json.ts';
import type { FieldError } from '../../schema.ts';
import { duplicate, invalid, notSupported, required } from '../../walker/field-errors.ts';

/** What was found wrong so far. */
export type Faults = FieldError[];

/** A body that is wrong everywhere must not make a long answer. */
const MAX_FAULTS = 100;

export function isFull(faults: Faults): boolean {
  return faults.length >= MAX_FAULTS;
}

/** One invalid value for each problem that a format's check found. */
export function problems(faults: Faults, path: string, value: unknown, found: readonly string[]): void {
  for (const problem of found) faults.push(invalid(path, value, problem));
}

export function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** True when the value is there; a required error otherwise. */
export function present(faults: Faults, path: string, value: unknown, detail = ''): boolean {
  if (!isAbsent(value)) return true;
  faults.push(required(path, detail));
  return false;
}

/** A required text in a format. */
export function named(faults: Faults, path: string, value: unknown, check: (text: string) => string[]): void {
  if (present(faults, path, value)) problems(faults, path, value, check(String(value)));
}

/** An optional text in a format. */
export function optionally(faults: Faults, path: string, value: unknown, check: (text: string) => string[]): void {
  if (!isAbsent(value)) problems(faults, path, value, check(String(value)));
}

/** One of a fixed set; absent is required when `isRequired`. */
export function oneOf(
  faults: Faults,
  path: string,
  value: unknown,
  allowed: readonly string[],
  isRequired = false,
): void {
  if (isAbsent(value)) {
    if (isRequired) faults.push(required(path));
  } else if (!allowed.includes(String(value))) faults.push(notSupported(path, value, allowed));
}

export function atLeast(faults: Faults, path: string, value: unknown, least: number): void {
  if (typeof value !== 'number' || value >= least) return;
  faults.push(
    invalid(path, value, least === 1 ? 'must be greater than zero' : `must be greater than or equal to ${least}`),
  );
}

export function within(faults: Faults, path: string, value: unknown, [least, most]: readonly [number, number]): void {
  if (typeof value !== 'number' || (value >= least && value <= most)) return;
  faults.push(invalid(path, value, `must be between ${least} and ${most}, inclusive`));
}

const PERCENT = /^[0-9]+%$/;

/** A number of at least 0, or a percentage. */
export function countOrPercent(faults: Faults, path: string, value: unknown): void {
  if (typeof value === 'string' && !PERCENT.test(value)) {
    faults.push(
      invalid(
        path,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    );
  } else atLeast(faults, path, value, 0);
}

export function isZeroCount(value: unknown): boolean {
  return value === 0 || value === '0%';
}

/** Each object of a list with its path, `spec.containers[2]`. Stops when there is more than enough to say. */
export function* eachItem(
  faults: Faults,
  path: string,
  list: unknown,
): Generator<readonly [JsonObject, string, number]> {
  if (!Array.isArray(list)) return;
  for (const [index, item] of list.entries()) {
    if (isFull(faults)) return;
    if (isObject(item)) yield [item, `${path}[${index}]`, index];
  }
}

/** Reports every later item that has the key of an earlier one. */
export class Unique {
  readonly #seen = new Set<string>();
  readonly #faults: Faults;

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  add(path: string, value: unknown, shown: unknown = value): void {
    const key = JSON.stringify(value);
    if (this.#seen.has(key)) this.#faults.push(duplicate(path, shown));
    else this.#seen.add(key);
  }
}

/** The fields of a one-of that are set. */
export function setFields(object: JsonObject, fields: readonly string[]): string[] {
  return fields.filter((field) => object[field] !== undefined && object[field] !== null);
}
