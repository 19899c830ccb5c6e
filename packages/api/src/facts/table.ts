/** The generated table, read one type at a time: a type costs a string until somebody asks for it. */
import table from '../generated/table.json' with { type: 'json' };
import type { ListType, PatchStrategy } from '../schema.ts';
import { flagValues, parseFieldLine, type TypeExpression } from './field-line.ts';

export interface FieldFacts {
  /** Undefined for a struct that JSON inlines. */
  readonly json?: string;
  readonly type: TypeExpression;
  /** Undefined for what protobuf does not carry. */
  readonly number?: number;
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly required: boolean;
  readonly default?: unknown;
  readonly listType?: ListType;
  readonly listMapKeys: readonly string[];
  readonly mapType?: 'granular' | 'atomic';
  readonly patchStrategy?: readonly PatchStrategy[];
  readonly patchMergeKey?: string;
}

export interface TypeFacts {
  /** `apps.v1.DeploymentSpec`. */
  readonly name: string;
  readonly atomic: boolean;
  readonly fields: readonly FieldFacts[];
}

const types: Readonly<Record<string, string | undefined>> = table.types;
const enums: Readonly<Record<string, readonly string[] | undefined>> = table.enums;
const parsed = new Map<string, TypeFacts>();

/** The facts of a struct; undefined for every other name. */
export function typeFacts(name: string): TypeFacts | undefined {
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const line = Object.hasOwn(types, name) ? types[name] : undefined;
  if (line === undefined) return undefined;
  const facts = parseType(name, line);
  parsed.set(name, facts);
  return facts;
}

/** The values of an enumeration; undefined for every other name. */
export function enumValues(name: string): readonly string[] | undefined {
  return Object.hasOwn(enums, name) ? enums[name] : undefined;
}

export function allTypeNames(): string[] {
  return Object.keys(types);
}

function parseType(name: string, line: string): TypeFacts {
  const pkg = name.slice(0, name.lastIndexOf('.'));
  const fields = line.split(';').filter((field) => field !== '');
  const atomic = fields[0] === '@atomic';
  return { name, atomic, fields: (atomic ? fields.slice(1) : fields).map((field) => parseField(field, pkg)) };
}

function parseField(line: string, pkg: string): FieldFacts {
  const { json, type, number, flags } = parseFieldLine(line);
  const [presence = ''] = flags;
  const [defaultText] = flagValues(flags, 'default');
  const [listType] = flagValues(flags, 'listType') as ListType[];
  const [mapType] = [...flagValues(flags, 'mapType'), ...flagValues(flags, 'structType')] as ('granular' | 'atomic')[];
  const [patchStrategy] = flagValues(flags, 'patchStrategy');
  const [patchMergeKey] = flagValues(flags, 'patchMergeKey');
  return {
    ...(json === undefined ? {} : { json }),
    type: qualify(type, pkg),
    ...(number === undefined ? {} : { number }),
    pointer: presence.includes('p'),
    omitEmpty: presence.includes('o'),
    required: presence.includes('r'),
    ...(defaultText === undefined ? {} : { default: JSON.parse(defaultText) as unknown }),
    ...(listType === undefined ? {} : { listType }),
    listMapKeys: flagValues(flags, 'listMapKey'),
    ...(mapType === undefined ? {} : { mapType }),
    ...(patchStrategy === undefined ? {} : { patchStrategy: patchStrategy.split(',') as PatchStrategy[] }),
    ...(patchMergeKey === undefined ? {} : { patchMergeKey }),
  };
}

/** `.Container` is a neighbour of the type that names it. */
function qualify(type: TypeExpression, pkg: string): TypeExpression {
  if (type.kind === 'bytes') return type;
  if (type.kind === 'name') return type.name.startsWith('.') ? { kind: 'name', name: pkg + type.name } : type;
  return { kind: type.kind, of: qualify(type.of, pkg) };
}
