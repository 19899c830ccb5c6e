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
