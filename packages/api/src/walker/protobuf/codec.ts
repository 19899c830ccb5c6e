/** How each type of the fact table goes over the wire: compiled once a type, from numbers and types of its fields. */
import { elementName, type TypeExpression } from '../../facts/field-line.ts';
import { enumValues, type FieldFacts, typeFacts } from '../../facts/table.ts';

/** What a value is on the wire; everything but the first line is a message that JSON shows as something else. */
export type Shape =
  | 'string'
  | 'bool'
  | 'int'
  | 'double'
  | 'bytes'
  | 'message'
  | 'time'
  | 'micro-time'
  | 'duration'
  | 'quantity'
  | 'int-or-string'
  | 'raw-json'
  | 'raw-extension'
  | 'schema-or-bool'
  | 'schema-or-array'
  | 'schema-or-strings'
  | 'strings';

export interface FieldCodec {
  readonly number: number;
  /** Undefined for a struct that JSON inlines: its fields join those of the outer one. */
  readonly json: string | undefined;
  readonly container: 'one' | 'list' | 'map';
  readonly shape: Shape;
  /** The struct of a message. */
  readonly typeName: string;
  /** Zero says the same as absence: the wire always carries such a field, JSON must not (Go's `omitempty` without pointer). */
  readonly dropsZero: boolean;
  readonly pointer: boolean;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  string: 'string',
  bool: 'bool',
  int32: 'int',
  int64: 'int',
  uint32: 'int',
  uint64: 'int',
  float64: 'double',
  'meta.v1.Time': 'time',
  'meta.v1.MicroTime': 'micro-time',
  'meta.v1.Duration': 'duration',
  'resource.Quantity': 'quantity',
  'intstr.IntOrString': 'int-or-string',
  'runtime.RawExtension': 'raw-extension',
  'meta.v1.FieldsV1': 'raw-json',
  'apiextensions.v1.JSON': 'raw-json',
  'apiextensions.v1.JSONSchemaPropsOrBool': 'schema-or-bool',
  'apiextensions.v1.JSONSchemaPropsOrArray': 'schema-or-array',
  'apiextensions.v1.JSONSchemaPropsOrStringArray': 'schema-or-strings',
  'wrapped-strings': 'strings',
};

export interface MessageCodec {
  readonly byNumber: readonly (FieldCodec | undefined)[];
  readonly fields: readonly FieldCodec[];
}

const codecs = new Map<string, MessageCodec>();

export function codecOf(typeName: string): MessageCodec {
  const known = codecs.get(typeName);
  if (known !== undefined) return known;
  const facts = typeFacts(typeName);
  if (facts === undefined) throw new RangeError(`no facts of ${typeName}`);
  const fields = facts.fields.flatMap(fieldCodec).sort((a, b) => a.number - b.number);
  const byNumber: (FieldCodec | undefined)[] = [];
  for (const field of fields) byNumber[field.number] = field;
  const codec = { byNumber: Array.from(byNumber), fields };
  codecs.set(typeName, codec);
  return codec;
}

function fieldCodec(field: FieldFacts): FieldCodec[] {
  if (field.number === undefined) return [];
  const element = elementOf(field.type);
  const typeName = elementName(element) ?? '';
  return [
    {
      number: field.number,
      json: field.json,
      container: field.type.kind === 'list' || field.type.kind === 'map' ? field.type.kind : 'one',
      shape: element.kind === 'bytes' ? 'bytes' : shapeOf(typeName),
      typeName,
      dropsZero: field.omitEmpty && !field.pointer,
      pointer: field.pointer,
    },
  ];
}

function elementOf(type: TypeExpression): TypeExpression {
  return type.kind === 'list' || type.kind === 'map' ? type.of : type;
}

function shapeOf(typeName: string): Shape {
  const shape = SHAPES[typeName];
  if (shape !== undefined) return shape;
  return enumValues(typeName) === undefined ? 'message' : 'string';
}
