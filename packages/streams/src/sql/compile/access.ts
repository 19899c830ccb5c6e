/** Columns, fields, elements. */
import type { DataType } from '../data-type.ts';
import { toDate } from '../functions/parameters.ts';
import { RowError } from '../sql-error.ts';
import type { EvalContext, Evaluate, Input, Row, Tuple, Value } from '../value.ts';
import { describe, isArray, isNull, isStruct } from '../values.ts';

/** Every object has these without having them: a row has such a field only if it is its own. */
function isInherited(name: string): boolean {
  return name in Object.prototype;
}

/** Reads one field of a row. */
function fieldReader(name: string): (row: Row) => Value {
  return isInherited(name) ? (row) => (Object.hasOwn(row, name) ? row[name] : undefined) : (row) => row[name];
}

export function column(source: number, name: string, type: DataType, width: number): Evaluate {
  const raw = width === 1 ? onlyColumn(name) : oneOfColumns(source, name);
  switch (type.kind) {
    case 'datetime':
      return converted(raw, (value, context) => toDate(value, context) ?? misfit(name, value, 'datetime'));
    case 'bytea':
      return converted(raw, (value) =>
        typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : value,
      );
    default:
      return raw;
  }
}

function onlyColumn(name: string): Evaluate {
  return isInherited(name) ? (input) => fieldReader(name)(input as Row) : (input) => (input as Row)[name];
}

function oneOfColumns(source: number, name: string): Evaluate {
  const read = fieldReader(name);
  return (input) => {
    const row = (input as Tuple)[source];
    return row === undefined ? undefined : read(row);
  };
}

/** What JSON can say only as text or number becomes what the column is declared as. */
function converted(raw: Evaluate, convert: (value: NonNullable<Value>, context: EvalContext) => Value): Evaluate {
  return (input, context) => {
    const value = raw(input, context);
    return isNull(value) ? undefined : convert(value, context);
  };
}

function misfit(name: string, value: Value, type: string): never {
  throw new RowError(`${name}: ${describe(value)} is no ${type}`);
}

/** The first source that has it. */
export function openColumn(name: string): Evaluate {
  const read = fieldReader(name);
  return (input) => {
    for (const row of input as Tuple) {
      if (row === undefined) continue;
      const value = read(row);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

/** All columns; where sources share a name, the first source has it. */
export function wholeRow(width: number, source?: number): (input: Input) => Row {
  if (width === 1) return (input) => input as Row;
  if (source !== undefined) return (input) => (input as Tuple)[source] ?? {};
  return (input) => {
    const fields = new Map<string, Value>();
    for (const row of input as Tuple) {
      for (const [name, value] of Object.entries(row ?? {})) if (!fields.has(name)) fields.set(name, value);
    }
    return Object.fromEntries(fields);
  };
}

export function meta(source: number, path: readonly string[]): Evaluate {
  const readers = path.map(fieldReader);
  return (_, context) => {
    let value: Value = context.meta(source);
    for (const read of readers) {
      if (!isStruct(value)) return undefined;
      value = read(value);
    }
    return value;
  };
}

export function member(object: Evaluate, name: string, says: string): Evaluate {
  const read = fieldReader(name);
  return (input, context) => {
    const value = object(input, context);
    if (isStruct(value)) return read(value);
    if (isNull(value)) return undefined;
    // A list of structs has the list of their fields.
    if (isArray(value)) return value.map((item) => fieldOf(item, read, says));
    throw new RowError(`${says}: a struct is needed, found ${describe(value)}`);
  };
}

function fieldOf(item: Value, read: (row: Row) => Value, says: string): Value {
  if (isStruct(item)) return read(item);
  if (isNull(item)) return undefined;
  throw new RowError(`${says}: a struct is needed, found ${describe(item)}`);
}

export function element(object: Evaluate, index: Evaluate, says: string): Evaluate {
  return (input, context) => {
    const list = object(input, context);
    const at = index(input, context);
    if (isNull(list) || isNull(at)) return undefined;
    if (isStruct(list) && typeof at === 'string') return fieldReader(at)(list);
    const place = wholeNumber(at, says);
    const items = listOf(list, says);
    if (place >= items.length || place < -items.length) {
      throw new RowError(`${says}: there is no element ${place} among ${items.length}`);
    }
    return items.at(place);
  };
}

/** From `from` to before `to`; beyond the ends there is nothing. */
export function range(object: Evaluate, from: Evaluate | undefined, to: Evaluate | undefined, says: string): Evaluate {
  return (input, context) => {
    const list = object(input, context);
    const start = from?.(input, context);
    const end = to?.(input, context);
    if (isNull(list)) return undefined;
    const items = listOf(list, says);
    return items.slice(isNull(start) ? 0 : wholeNumber(start, says), isNull(end) ? undefined : wholeNumber(end, says));
  };
}

function listOf(value: NonNullable<Value>, says: string): readonly Value[] {
  if (isArray(value)) return value;
  throw new RowError(`${says}: an array is needed, found ${describe(value)}`);
}

function wholeNumber(value: Value, says: string): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new RowError(`${says}: an index is a whole number, found ${describe(value)}`);
}
