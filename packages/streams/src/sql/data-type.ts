/** Types of columns and expressions, as eKuiper's streams declare them; `any` is what a stream without schema has. */

export type DataType =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'array'; readonly element: DataType }
  | { readonly kind: 'struct'; readonly fields: Schema };

export type ScalarKind = 'any' | 'null' | 'bigint' | 'float' | 'string' | 'boolean' | 'datetime' | 'bytea';

export interface Field {
  readonly name: string;
  readonly type: DataType;
}

export type Schema = readonly Field[];

export const ANY: DataType = { kind: 'any' };
export const NULL: DataType = { kind: 'null' };
export const BIGINT: DataType = { kind: 'bigint' };
export const FLOAT: DataType = { kind: 'float' };
export const STRING: DataType = { kind: 'string' };
export const BOOLEAN: DataType = { kind: 'boolean' };
export const DATETIME: DataType = { kind: 'datetime' };
export const BYTEA: DataType = { kind: 'bytea' };
/** A structure of which nothing is known. */
export const STRUCT: DataType = { kind: 'struct', fields: [] };
export const ARRAY: DataType = { kind: 'array', element: ANY };

export function arrayOf(element: DataType): DataType {
  return { kind: 'array', element };
}

/** Nothing is known about its values before they come. */
export function isOpen({ kind }: DataType): boolean {
  return kind === 'any' || kind === 'null';
}

export function isNumeric({ kind }: DataType): boolean {
  return kind === 'bigint' || kind === 'float';
}

/** The type that values of both have: for CASE, coalesce and arrays. */
export function unify(left: DataType, right: DataType): DataType {
  if (left.kind === right.kind) return left.kind === 'array' || left.kind === 'struct' ? unifyDeep(left, right) : left;
  if (left.kind === 'null') return right;
  if (right.kind === 'null') return left;
  return isNumeric(left) && isNumeric(right) ? FLOAT : ANY;
}

function unifyDeep(left: DataType, right: DataType): DataType {
  if (left.kind === 'array' && right.kind === 'array') return arrayOf(unify(left.element, right.element));
  return JSON.stringify(left) === JSON.stringify(right) ? left : STRUCT;
}

export function showType(type: DataType): string {
  if (type.kind === 'array') return `array(${showType(type.element)})`;
  if (type.kind !== 'struct' || type.fields.length === 0) return type.kind;
  return `struct(${type.fields.map(({ name, type: field }) => `${name} ${showType(field)}`).join(', ')})`;
}
