/** What a statement may name: streams, tables, and functions of the user. */
import type { DataType, Schema } from './data-type.ts';
import type { Value } from './value.ts';

export interface Relation {
  readonly kind: 'stream' | 'table';
  readonly name: string;
  /** Absent: any field may come, with any type. */
  readonly schema?: Schema;
}

export interface UserFunction {
  readonly name: string;
  readonly parameters: readonly DataType[];
  readonly returns: DataType;
  readonly call: (args: readonly Value[]) => Value;
}

export interface Catalog {
  /** `likely`: what it is, by the place where it is named, if it is not there yet. */
  relation(name: string, likely: Relation['kind']): Relation | undefined;
  /** For proposals when a name is unknown. */
  relationNames(): readonly string[];
  userFunction(name: string): UserFunction | undefined;
  userFunctionNames(): readonly string[];
}
