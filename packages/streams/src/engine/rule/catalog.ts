/** Streams, tables and functions of a rule, as its SQL sees them. */
import type { KubeObject } from '@skerry/api';
import type { FieldSchema, FieldType } from '../../kinds/shared.ts';
import type { Stream } from '../../kinds/stream.ts';
import type { Table } from '../../kinds/table.ts';
import type { Catalog, DataType, Relation, Schema, UserFunction } from '../../sql/index.ts';

export interface RuleSurroundings {
  stream(name: string): Stream | undefined;
  table(name: string): Table | undefined;
  /** For proposals when a name is unknown. */
  streamNames(): readonly string[];
  tableNames(): readonly string[];
}

/** Of one namespace. */
export function surroundingsOf(streams: readonly Stream[], tables: readonly Table[]): RuleSurroundings {
  const [byStream, byTable] = [named(streams), named(tables)];
  return {
    stream: (name) => byStream.get(name),
    table: (name) => byTable.get(name),
    streamNames: () => [...byStream.keys()],
    tableNames: () => [...byTable.keys()],
  };
}

function named<T extends KubeObject>(objects: readonly T[]): ReadonlyMap<string, T> {
  return new Map(objects.map((object) => [object.metadata.name ?? '', object]));
}

export interface CatalogOptions {
  readonly around: RuleSurroundings;
  readonly functions: readonly UserFunction[];
  /** What is not there yet may still come, with whatever fields. */
  readonly allowsUnknown: boolean;
  /** Whether it will be a table, where that is known. */
  readonly isTable?: (name: string) => boolean;
}

export function catalogOf({ around, functions, allowsUnknown, isTable }: CatalogOptions): Catalog {
  return {
    relation: (name, likely) => {
      const stream = around.stream(name);
      if (stream !== undefined) return relationOf('stream', name, stream.spec.schema);
      const table = around.table(name);
      if (table !== undefined) return relationOf('table', name, table.spec.schema);
      return allowsUnknown ? { kind: isTable?.(name) === true ? 'table' : likely, name } : undefined;
    },
    relationNames: () => [...around.streamNames(), ...around.tableNames()],
    userFunction: (name) => functions.find((each) => each.name.toLowerCase() === name.toLowerCase()),
    userFunctionNames: () => functions.map(({ name }) => name),
  };
}

function relationOf(kind: Relation['kind'], name: string, schema: readonly FieldSchema[] | undefined): Relation {
  return { kind, name, ...(schema === undefined ? {} : { schema: schemaOf(schema) }) };
}

function schemaOf(fields: readonly FieldSchema[]): Schema {
  return fields.map(({ name, type, items }) => ({ name, type: dataTypeOf(type, items) }));
}

export function dataTypeOf(type: FieldType, items: FieldType = 'Any'): DataType {
  switch (type) {
    case 'Array':
      return { kind: 'array', element: dataTypeOf(items) };
    // Which fields it has is not said.
    case 'Struct':
    case 'Any':
      return { kind: 'any' };
    case 'Bigint':
      return { kind: 'bigint' };
    case 'Float':
      return { kind: 'float' };
    case 'String':
      return { kind: 'string' };
    case 'Boolean':
      return { kind: 'boolean' };
    case 'Datetime':
      return { kind: 'datetime' };
    case 'Bytea':
      return { kind: 'bytea' };
  }
}
