/** What can be asked about any value: what it is, whether two are equal, which comes first. */
import { ownZone, withZone, zoneOf } from './time/zone.ts';
import type { Row, Saved, Value } from './value.ts';

export function isNull(value: Value): value is null | undefined {
  return value === undefined || value === null;
}

export function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** A structure: neither an array nor one of the objects that stand for a single value. */
export function isStruct(value: Value): value is Row {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof Uint8Array)
  );
}

const SHOWN_TEXT = 40;

/** For errors: what was found instead. */
export function describe(value: Value): string {
  if (isNull(value)) return 'NULL';
  switch (typeof value) {
    case 'string':
      return `the string ${JSON.stringify(value.length > SHOWN_TEXT ? `${value.slice(0, SHOWN_TEXT)}…` : value)}`;
    case 'number':
    case 'bigint':
      return `the number ${value}`;
    case 'boolean':
      return `${value}`;
    default:
  }
  if (value instanceof Date) return 'a datetime';
  if (value instanceof Uint8Array) return 'a bytea';
  return Array.isArray(value) ? 'an array' : 'a struct';
}

/** Deep; a number and a bigint of the same size are the same, and so are NaN and NaN. */
export function isSame(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (isNull(left) || isNull(right)) return isNull(left) && isNull(right);
  if (typeof left !== 'object' || typeof right !== 'object') return isSameNumber(left, right);
  if (left instanceof Date || right instanceof Date) return isSameDate(left, right);
  if (left instanceof Uint8Array || right instanceof Uint8Array) return isSameBytes(left, right);
  if (isArray(left) || isArray(right)) return isArray(left) && isArray(right) && isSameList(left, right);
  return isSameStruct(left as Row, right as Row);
}

function isSameNumber(left: Value, right: Value): boolean {
  if (typeof left === 'bigint') return typeof right === 'number' && Number.isInteger(right) && BigInt(right) === left;
  if (typeof right === 'bigint') return isSameNumber(right, left);
  return typeof left === 'number' && typeof right === 'number' && Number.isNaN(left) && Number.isNaN(right);
}

function isSameDate(left: Value, right: Value): boolean {
  return left instanceof Date && right instanceof Date && left.getTime() === right.getTime();
}

function isSameBytes(left: Value, right: Value): boolean {
  const areBytes = left instanceof Uint8Array && right instanceof Uint8Array;
  return areBytes && left.length === right.length && left.every((byte, index) => byte === right[index]);
}

function isSameList(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((item, index) => isSame(item, right[index]));
}

function isSameStruct(left: Row, right: Row): boolean {
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && isSame(left[name], right[name]));
}

/** For sorting: NULL, then false, true, numbers, datetimes, strings, and all else as equal. */
export function compare(left: Value, right: Value): number {
  const [leftRank, rightRank] = [rankOf(left), rankOf(right)];
  if (leftRank !== rightRank) return leftRank - rightRank;
  if (leftRank === RANK_NULL || leftRank === RANK_OTHER) return 0;
  const [a, b] = [left as number, right as number];
  return a < b ? -1 : a > b ? 1 : 0;
}

const RANK_NULL = 0;
const RANK_OTHER = 5;

function rankOf(value: Value): number {
  if (isNull(value)) return RANK_NULL;
  switch (typeof value) {
    case 'boolean':
      return 1;
    case 'number':
    case 'bigint':
      return 2;
    case 'string':
      return 4;
    default:
      return value instanceof Date ? 3 : RANK_OTHER;
  }
}

/** As text: what `concat` and `cast(x, "string")` give. */
export function toText(value: NonNullable<Value>): string {
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  return typeof value === 'object' ? toJson(value) : String(value);
}

/** Bigints as digits, datetimes as RFC 3339, bytes as base64. */
export function toJson(value: Value): string {
  return JSON.stringify(plain(value)) ?? 'null';
}

// Not yet in the library's types.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

function plain(value: Value): unknown {
  if (typeof value === 'bigint') return rawJSON(value.toString());
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

/** A string that is the same for the same value and different for others: the key of a group or a partition. */
export function keyOf(value: Value): string {
  switch (typeof value) {
    case 'string':
      return value.length === 0 || value.charCodeAt(0) >= FIRST_LETTER ? value : `"${value}`;
    case 'number':
    case 'bigint':
      return `#${value}`;
    case 'boolean':
      return value ? '!true' : '!false';
    default:
      return isNull(value) ? '!null' : `!${JSON.stringify(encode(value))}`;
  }
}

/** Below it are the marks that tell keys of other types apart. */
const FIRST_LETTER = 0x30;

/** A value as plain JSON that `decode` gives back exactly. */
export function encode(value: Value): Saved {
  switch (typeof value) {
    case 'undefined':
      return null;
    case 'bigint':
      return { $bigint: value.toString() };
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $float: Object.is(value, -0) ? '-0' : String(value) };
    case 'object':
      return value === null ? null : encodeObject(value);
    default:
      return value;
  }
}

function encodeObject(value: NonNullable<Value> & object): Saved {
  if (value instanceof Date) {
    const zone = ownZone(value);
    return { $date: value.getTime(), ...(zone === undefined ? {} : { $zone: zone.name }) };
  }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (isArray(value)) return value.map(encode);
  const entries = Object.entries(value).map(([name, field]): [string, Saved] => [name, encode(field)]);
  const isPlain = entries.every(([name]) => !name.startsWith('$'));
  return isPlain ? Object.fromEntries(entries) : { $struct: entries };
}

export function decode(saved: Saved | undefined): Value {
  if (saved === undefined || saved === null) return undefined;
  if (typeof saved !== 'object') return saved;
  if (Array.isArray(saved)) return saved.map(decodeInside);
  const { $bigint, $float, $date, $zone, $bytes, $struct } = saved as Readonly<Record<string, Saved>>;
  if (typeof $bigint === 'string') return BigInt($bigint);
  if (typeof $float === 'string') return Number($float);
  if (typeof $date === 'number') {
    const date = new Date($date);
    return typeof $zone === 'string' ? withZone(date, zoneOf($zone)) : date;
  }
  if (typeof $bytes === 'string') return new Uint8Array(Buffer.from($bytes, 'base64'));
  const entries = $struct === undefined ? Object.entries(saved) : ($struct as readonly [string, Saved][]);
  return Object.fromEntries(entries.map(([name, field]) => [name, decodeInside(field)]));
}

/** Within arrays and structs NULL is null, as JSON has it. */
function decodeInside(saved: Saved): Value {
  return saved === null ? null : decode(saved);
}
