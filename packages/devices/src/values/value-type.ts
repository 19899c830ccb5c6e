/** The types of properties: `float32`, `uint16[4]`, `string[]`, a structure by its name. Parsed here, and nowhere else. */

export const SCALAR_TYPES = [
  'bool',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'string',
  'bytes',
  'datetime',
] as const;

export type ScalarType = (typeof SCALAR_TYPES)[number];

export type ValueType =
  | { readonly kind: 'scalar'; readonly scalar: ScalarType }
  | { readonly kind: 'struct'; readonly name: string; readonly fields: readonly StructField[] }
  /** Without `length`: any number of items. */
  | { readonly kind: 'list'; readonly items: ValueType; readonly length?: number };

export interface StructField {
  readonly name: string;
  readonly type: ValueType;
  readonly unit?: string;
}

/** A structure as a device model declares it; its fields name their types. */
export interface StructDeclaration {
  readonly name: string;
  readonly fields: readonly { readonly name: string; readonly type: string; readonly unit?: string }[];
}

/** Structures in structures in structures: more levels are a mistake, and a bound on every walk along a type. */
const MAX_DEPTH = 8;

export const MAX_LIST_LENGTH = 65_536;

const SHAPE = /^([A-Za-z_][A-Za-z0-9_]*)(\[(\d{0,5})\])?$/;

/** Or, as text, why there is no such type: it completes the sentence "type T …". */
export function parseValueType(
  text: string,
  structs: ReadonlyMap<string, StructDeclaration> = new Map(),
): ValueType | string {
  return parseAt(text, structs, 0);
}

function parseAt(text: string, structs: ReadonlyMap<string, StructDeclaration>, depth: number): ValueType | string {
  if (depth > MAX_DEPTH) return `has structures more than ${MAX_DEPTH} deep, or one that holds itself`;
  const [, name = '', list, length = ''] = SHAPE.exec(text) ?? [];
  if (name === '') return 'is neither NAME, NAME[] nor NAME[LENGTH]';
  const items = named(name, structs, depth);
  if (list === undefined || typeof items === 'string') return items;
  if (length === '') return { kind: 'list', items };
  const size = Number(length);
  if (size === 0 || size > MAX_LIST_LENGTH) return `has a length that is not between 1 and ${MAX_LIST_LENGTH}`;
  return { kind: 'list', items, length: size };
}

function named(name: string, structs: ReadonlyMap<string, StructDeclaration>, depth: number): ValueType | string {
  if (isScalarType(name)) return { kind: 'scalar', scalar: name };
  const declared = structs.get(name);
  if (declared === undefined) return `is neither one of ${SCALAR_TYPES.join(', ')} nor a structure of the model`;
  const fields: StructField[] = [];
  for (const { name: field, type, unit } of declared.fields) {
    const parsed = parseAt(type, structs, depth + 1);
    if (typeof parsed === 'string') return `has a field ${field} whose type ${parsed}`;
    fields.push({ name: field, type: parsed, ...(unit === undefined ? {} : { unit }) });
  }
  return { kind: 'struct', name, fields };
}

function isScalarType(name: string): name is ScalarType {
  return (SCALAR_TYPES as readonly string[]).includes(name);
}

/** As it was written. */
export function formatValueType(type: ValueType): string {
  switch (type.kind) {
    case 'scalar':
      return type.scalar;
    case 'struct':
      return type.name;
    case 'list':
      return `${formatValueType(type.items)}[${type.length ?? ''}]`;
  }
}

/** The same values: for structures the same fields in the same order, whatever they are called. */
export function isSameType(a: ValueType, b: ValueType): boolean {
  if (a.kind === 'scalar') return b.kind === 'scalar' && a.scalar === b.scalar;
  if (a.kind === 'list') return b.kind === 'list' && a.length === b.length && isSameType(a.items, b.items);
  if (b.kind !== 'struct' || a.fields.length !== b.fields.length) return false;
  return a.fields.every((field, index) => {
    const other = b.fields[index];
    return other !== undefined && other.name === field.name && isSameType(field.type, other.type);
  });
}

export function isNumeric(type: ValueType): boolean {
  return type.kind === 'scalar' && NUMERIC.has(type.scalar);
}

const NUMERIC: ReadonlySet<ScalarType> = new Set(SCALAR_TYPES.filter((type) => /^(u?int|float)/.test(type)));

/** Least and greatest value of an integer type; undefined for other types. */
export function integerRange(type: ScalarType): { readonly least: bigint; readonly greatest: bigint } | undefined {
  const [, unsigned, bits] = /^(u?)int(\d+)$/.exec(type) ?? [];
  if (bits === undefined) return undefined;
  const size = BigInt(bits);
  return unsigned === 'u'
    ? { least: 0n, greatest: 2n ** size - 1n }
    : { least: -(2n ** (size - 1n)), greatest: 2n ** (size - 1n) - 1n };
}
