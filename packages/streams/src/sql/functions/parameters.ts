/** What arguments may be, and how they are read. */
import { type DataType, isNumeric, isOpen } from '../data-type.ts';
import { parseTime } from '../time/parse-time.ts';
import type { EvalContext, Row, Value } from '../value.ts';
import { isArray, isStruct, toText } from '../values.ts';
import type { Parameter } from './specification.ts';

function parameter<T>(
  name: string,
  shows: string,
  accepts: (type: DataType) => boolean,
  read: (value: NonNullable<Value>, context: EvalContext) => T | undefined,
): Parameter<T> {
  return { name, shows, accepts: (type) => isOpen(type) || accepts(type), read };
}

export function any(name: string): Parameter<NonNullable<Value>> {
  return parameter(
    name,
    'any',
    () => true,
    (value) => value,
  );
}

export function number(name: string): Parameter<number> {
  return parameter(name, 'number', isNumeric, toNumber);
}

function toNumber(value: NonNullable<Value>): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' ? Number(value) : undefined;
}

/** A number that may be a bigint beyond 2^53. */
export function numeric(name: string): Parameter<number | bigint> {
  return parameter(name, 'number', isNumeric, (value) =>
    typeof value === 'number' || typeof value === 'bigint' ? value : undefined,
  );
}

export function integer(name: string): Parameter<number> {
  return parameter(name, 'bigint', isNumeric, (value) => {
    const plain = toNumber(value);
    return Number.isInteger(plain) ? plain : undefined;
  });
}

/** Numbers, booleans and datetimes are taken as they print. */
export function string(name: string): Parameter<string> {
  return parameter(
    name,
    'string',
    ({ kind }) => kind !== 'array' && kind !== 'struct' && kind !== 'bytea',
    (value) => (typeof value === 'string' ? value : isArray(value) || isStruct(value) ? undefined : toText(value)),
  );
}

export function boolean(name: string): Parameter<boolean> {
  return parameter(
    name,
    'boolean',
    ({ kind }) => kind === 'boolean',
    (value) => (typeof value === 'boolean' ? value : undefined),
  );
}

/** A datetime, milliseconds since 1970, or text in one of the usual forms. */
export function datetime(name: string): Parameter<Date> {
  return parameter(
    name,
    'datetime',
    (type) => isNumeric(type) || type.kind === 'datetime' || type.kind === 'string',
    (value, context) => toDate(value, context),
  );
}

export function toDate(value: NonNullable<Value>, { zone }: EvalContext): Date | undefined {
  if (value instanceof Date) return value;
  if (typeof value === 'string') return parseTime(value, zone);
  const milliseconds = toNumber(value);
  if (milliseconds === undefined) return undefined;
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

export function array(name: string): Parameter<readonly Value[]> {
  return parameter(
    name,
    'array',
    ({ kind }) => kind === 'array',
    (value) => (isArray(value) ? value : undefined),
  );
}

export function struct(name: string): Parameter<Row> {
  return parameter(
    name,
    'struct',
    ({ kind }) => kind === 'struct',
    (value) => (isStruct(value) ? value : undefined),
  );
}

/** Bytes, or text as UTF-8. */
export function bytes(name: string): Parameter<Uint8Array> {
  return parameter(
    name,
    'string or bytea',
    ({ kind }) => kind === 'string' || kind === 'bytea',
    (value) => (value instanceof Uint8Array ? value : typeof value === 'string' ? Buffer.from(value) : undefined),
  );
}

export function optional<T>(of: Parameter<T>): Parameter<T> & { readonly isOptional: true } {
  return { ...of, isOptional: true };
}

export function nullable<T>(of: Parameter<T>): Parameter<T> & { readonly takesNull: true } {
  return { ...of, takesNull: true };
}

export function rest<P extends Parameter<unknown>>(of: P): P & { readonly isRest: true } {
  return { ...of, isRest: true };
}

export function literal<P extends Parameter<unknown>>(of: P): P & { readonly isLiteral: true } {
  return { ...of, isLiteral: true };
}
