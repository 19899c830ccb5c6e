/** Writes the table that ships: only what a served kind reaches, named types resolved, one string a type. */
import {
  elementName,
  type FieldLine,
  flagValues,
  formatTypeExpression,
  parseTypeExpression,
  type TypeExpression,
} from '../../packages/api/src/facts/field-line.ts';
import { type Facts, fieldsOf, isKind, isOptional } from './facts.ts';

export interface RunTimeTable {
  /** Fields between `;`, each a line of `field-line.ts`. A leading `@atomic` speaks of the struct itself. */
  readonly types: Record<string, string>;
  readonly enums: Record<string, readonly string[]>;
}

const CARRIED_FLAGS = ['default', 'listType', 'listMapKey', 'mapType', 'structType', 'patchStrategy', 'patchMergeKey'];

/** Go's integers beyond these two do not occur with other rules on the wire. */
const SAME_ON_THE_WIRE: Readonly<Record<string, string>> = { int: 'int64', uint8: 'int32', byte: 'int32' };

export function runTimeTable(facts: Facts): RunTimeTable {
  const table: RunTimeTable = { types: {}, enums: {} };
  const pending = Object.keys(facts.structs).filter((name) => isKind(facts, name));
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (table.types[name] !== undefined || facts.structs[name] === undefined) continue;
    const fields = fieldsOf(facts, name).map((field) => ({ ...field, type: resolve(facts, field.type) }));
    const atomic = facts.structMarkers[name]?.includes('structType=atomic') ? ['@atomic'] : [];
    table.types[name] = [...atomic, ...fields.map((field) => formatField(field, packageOf(name)))].join(';');
    for (const field of fields) {
      const reached = elementName(field.type);
      if (reached !== undefined) pending.push(reached);
      const values = facts.named[reached ?? ''];
      if (reached !== undefined && values !== undefined) table.enums[reached] = values.slice(1);
    }
  }
  return { types: sorted(table.types), enums: sorted(table.enums) };
}

/** Replaces names of what is not a struct by what they stand for; enumerations keep their name. */
function resolve(facts: Facts, type: TypeExpression): TypeExpression {
  if (type.kind === 'list' || type.kind === 'map') return { kind: type.kind, of: resolve(facts, type.of) };
  if (type.kind === 'bytes') return type;
  if (type.name.startsWith('types.')) return { kind: 'name', name: 'string' };
  const named = facts.named[type.name];
  if (named === undefined) return { kind: 'name', name: SAME_ON_THE_WIRE[type.name] ?? type.name };
  return named.length > 1 ? type : resolve(facts, wrapIfList(type.name, parseTypeExpression(named[0] ?? '')));
}

/** A named list such as ExtraValue is a message of its own in protobuf, so it keeps a mark. */
function wrapIfList(name: string, underlying: TypeExpression): TypeExpression {
  const isWrapped = underlying.kind === 'list' && /\.(ExtraValue|Verbs)$/.test(name);
  return isWrapped ? { kind: 'name', name: 'wrapped-strings' } : underlying;
}

function formatField(field: FieldLine, pkg: string): string {
  const type = formatTypeExpression(field.type).replace(`${pkg}.`, '.');
  const presence = `${field.flags.has('pointer') ? 'p' : ''}${field.flags.has('omitempty') ? 'o' : ''}${isOptional(field) ? '' : 'r'}`;
  const carried = CARRIED_FLAGS.flatMap((name) => flagValues(field.flags, name).map((value) => `${name}=${value}`));
  return [
    field.json ?? '~',
    type,
    String(field.number ?? '-'),
    ...(presence === '' ? ['-'] : [presence]),
    ...carried,
  ].join(' ');
}

function packageOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.'));
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
