/** What a message holds becomes a row: fields as the schema wants them, and the time that it says it is of. */
import type { FieldSchema, FieldType } from '../../kinds/shared.ts';
import type { StreamSpec, TimeFormat } from '../../kinds/stream.ts';
import { type Row, RowError, type Value } from '../../sql/index.ts';

export interface TimedRow {
  readonly row: Row;
  /** Undefined: it is of when it came. */
  readonly time: number | undefined;
}

/** Throws a RowError. */
export type ReadRow = (message: unknown) => TimedRow;

export function rowReader({ schema, timestamp }: Pick<StreamSpec, 'schema' | 'timestamp'>): ReadRow {
  const convert = schema === undefined ? (row: Row) => row : converter(schema);
  return (message) => {
    if (typeof message !== 'object' || message === null || Array.isArray(message))
      throw new RowError(`a row must be an object, not ${describe(message)}`);
    const row = convert(message as Row);
    if (timestamp === undefined) return { row, time: undefined };
    return { row, time: timeOf(row[timestamp.field], timestamp.field, timestamp.format) };
  };
}

function converter(schema: readonly FieldSchema[]): (row: Row) => Row {
  const simple = schema.every(({ type }) => type === 'Any');
  if (simple) return (row) => row;
  return (row) => {
    const converted: Record<string, Value> = {};
    for (const field of schema) {
      const value = row[field.name];
      if (value !== undefined && value !== null) converted[field.name] = convertField(field, value);
      else if (value === null) converted[field.name] = null;
    }
    return converted;
  };
}

function convertField({ name, type, items }: FieldSchema, value: NonNullable<Value>): Value {
  const converted = convertValue(type, items ?? 'Any', value);
  if (converted === undefined) throw new RowError(`the field ${name} must be ${type}, not ${describe(value)}`);
  return converted;
}

const INTEGER = /^[+-]?\d{1,20}$/;

/** Undefined when it cannot be. */
function convertValue(type: FieldType, items: FieldType, value: NonNullable<Value>): Value {
  switch (type) {
    case 'Any':
      return value;
    case 'Bigint':
      return toInteger(value);
    case 'Float':
      return toFloat(value);
    case 'String':
      return typeof value === 'object' ? undefined : String(value);
    case 'Boolean':
      return toBoolean(value);
    case 'Datetime':
      return toDate(value);
    case 'Bytea':
      if (typeof value === 'string') return new Uint8Array(Buffer.from(value, 'base64'));
      return value instanceof Uint8Array ? value : undefined;
    case 'Array': {
      if (!Array.isArray(value)) return undefined;
      const all = (value as readonly Value[]).map((item) =>
        item === null || item === undefined ? null : convertValue(items, 'Any', item),
      );
      return all.includes(undefined) ? undefined : all;
    }
    case 'Struct':
      return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date) ? value : undefined;
  }
}

function toInteger(value: NonNullable<Value>): number | bigint | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined;
  if (typeof value === 'bigint') return value;
  if (typeof value !== 'string' || !INTEGER.test(value)) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

function toFloat(value: NonNullable<Value>): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}

function toBoolean(value: NonNullable<Value>): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === 1 || value === '1') return true;
  return value === 'false' || value === 0 || value === '0' ? false : undefined;
}

function toDate(value: NonNullable<Value>): Date | undefined {
  if (value instanceof Date) return value;
  const date = typeof value === 'number' || typeof value === 'string' ? new Date(value) : undefined;
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
}

function timeOf(value: Value, field: string, format: TimeFormat = 'Auto'): number {
  const time = asTime(value, format);
  if (time === undefined || !Number.isFinite(time))
    throw new RowError(`the field ${field} must say a time, not ${describe(value)}`);
  return time;
}

function asTime(value: Value, format: TimeFormat): number | undefined {
  if (value instanceof Date) return value.getTime();
  if (typeof value === 'bigint') return asTime(Number(value), format);
  if (typeof value === 'number') return format === 'Seconds' ? value * 1000 : value;
  if (typeof value !== 'string') return undefined;
  if (format !== 'Rfc3339' && /^-?\d+(\.\d+)?$/.test(value)) return asTime(Number(value), format);
  return Date.parse(value);
}

const SHOWN = 40;

export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
