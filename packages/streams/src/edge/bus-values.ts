/** Values of series as SQL has them, and back. */
import type { Boxed, Scalar } from '../contract/index.ts';
import type { Value } from '../sql/index.ts';

/** Of a series of that type; NaN is no value. */
export function fromBus(type: string, value: Scalar | Boxed): Value {
  if (typeof value !== 'number') return value as Value;
  if (type === 'bool') return value !== 0;
  if (type === 'datetime') return new Date(value);
  return Number.isNaN(value) ? null : value;
}

export interface BusValue {
  readonly type: string;
  readonly value: Scalar | Boxed;
}

/** Undefined for NULL, which no series has. */
export function toBus(value: Value): BusValue | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') return { type: 'float64', value };
  if (typeof value === 'boolean') return { type: 'bool', value: value ? 1 : 0 };
  if (typeof value === 'bigint') return { type: 'int64', value };
  if (typeof value === 'string') return { type: 'string', value };
  if (value instanceof Date) return { type: 'datetime', value: value.getTime() };
  if (value instanceof Uint8Array) return { type: 'bytes', value };
  return { type: 'json', value: value as Boxed };
}
