/** What is wrong with a DeviceModel beyond what its schema says. Pure. */
import type { FieldError } from '@skerry/api';
import type { DeviceModel, ModelParameter, ModelProperty } from '../resources/device-model.ts';
import { parseUnit } from '../values/units.ts';
import { ValueError, valueFromJson } from '../values/value.ts';
import { isNumeric, isSameType, parseValueType, type StructDeclaration, type ValueType } from '../values/value-type.ts';
import { forbidden, invalid, notFound } from './field-errors.ts';
import { type ModelLookup, type ResolvedModel, resolveModel } from './resolve-model.ts';

export function validateModel(model: DeviceModel, lookup: ModelLookup, old?: DeviceModel): readonly FieldError[] {
  const { spec } = model;
  const name = model.metadata.name ?? '';
  const parent = spec.extends === undefined ? undefined : resolveParent(spec.extends, name, lookup);
  if (typeof parent === 'string')
    return [
      parent === 'does not exist'
        ? notFound('spec.extends', spec.extends)
        : invalid('spec.extends', spec.extends, `it ${parent}`),
    ];
  const structs = new Map([
    ...(parent?.structs ?? []),
    ...(spec.structs ?? []).map((each) => [each.name, each] as const),
  ]);
  return [
    ...checkVersion(model, old),
    ...checkStructs(spec.structs ?? [], structs),
    ...(spec.properties ?? []).flatMap((property, at) =>
      checkProperty(property, `spec.properties[${at}]`, structs, parent),
    ),
    ...(spec.commands ?? []).flatMap(({ input = [], output = [] }, at) => [
      ...checkParameters(input, `spec.commands[${at}].input`, structs),
      ...checkParameters(output, `spec.commands[${at}].output`, structs),
    ]),
    ...(spec.events ?? []).flatMap(({ fields = [] }, at) =>
      checkParameters(fields, `spec.events[${at}].fields`, structs),
    ),
  ];
}

/** Seen as if the model that is written were not there: a chain that leads back to it is one that never ends. */
function resolveParent(parent: string, name: string, lookup: ModelLookup): ResolvedModel | string {
  if (parent === name) return 'is the model itself';
  const resolved = resolveModel(parent, lookup);
  if (typeof resolved === 'string') return resolved;
  return resolved.lineage.includes(name) ? `extends ${name} itself` : resolved;
}

function checkVersion({ spec }: DeviceModel, old: DeviceModel | undefined): readonly FieldError[] {
  const before = old?.spec.version;
  if (before === undefined || before === spec.version) return [];
  if (spec.version === undefined)
    return [forbidden('spec.version', `it was ${before}, and a version cannot be taken back`)];
  return compareVersions(spec.version, before) > 0
    ? []
    : [invalid('spec.version', spec.version, `must be above ${before}, which it was`)];
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (left?.[part] ?? 0) - (right?.[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

type Structs = ReadonlyMap<string, StructDeclaration>;

function checkStructs(declared: readonly StructDeclaration[], structs: Structs): readonly FieldError[] {
  return declared.flatMap(({ name, fields }, at) => {
    const type = parseValueType(name, structs);
    const path = `spec.structs[${at}]`;
    if (typeof type === 'string') return [invalid(path, name, type)];
    return fields.flatMap(({ unit }, field) => checkUnit(unit, `${path}.fields[${field}].unit`));
  });
}

function checkProperty(
  property: ModelProperty,
  path: string,
  structs: Structs,
  parent: ResolvedModel | undefined,
): readonly FieldError[] {
  const type = parseValueType(property.type, structs);
  if (typeof type === 'string') return [invalid(`${path}.type`, property.type, type)];
  const inherited = parent?.properties.get(property.name);
  const errors = [
    ...checkParameterOf(property, path, type),
    ...checkEnum(property, path, type),
    ...(property.deadband !== undefined && !isNumeric(type)
      ? [invalid(`${path}.deadband`, property.deadband, `${property.type} has no deadband`)]
      : []),
  ];
  if (inherited === undefined) return errors;
  if (!isSameType(inherited.valueType, type))
    errors.push(invalid(`${path}.type`, property.type, `${inherited.declaredBy} declares it as ${inherited.type}`));
  if (inherited.unit !== property.unit)
    errors.push(
      invalid(`${path}.unit`, property.unit, `${inherited.declaredBy} declares it in ${inherited.unit ?? 'no unit'}`),
    );
  return errors;
}

function checkEnum({ enum: members, type }: ModelProperty, path: string, valueType: ValueType): readonly FieldError[] {
  if (members === undefined) return [];
  if (!/^u?int/.test(type) || valueType.kind !== 'scalar')
    return [invalid(`${path}.enum`, type, 'only integers have names for their values')];
  const values = new Set(members.map(({ value }) => value));
  return values.size === members.length ? [] : [invalid(`${path}.enum`, type, 'two names for the same value')];
}

function checkParameters(parameters: readonly ModelParameter[], path: string, structs: Structs): readonly FieldError[] {
  return parameters.flatMap((parameter, at) => {
    const type = parseValueType(parameter.type, structs);
    if (typeof type === 'string') return [invalid(`${path}[${at}].type`, parameter.type, type)];
    return checkParameterOf(parameter, `${path}[${at}]`, type);
  });
}

/** What properties and parameters have in common. */
function checkParameterOf(
  { unit, minimum, maximum, default: initial, type: text }: ModelParameter | ModelProperty,
  path: string,
  type: ValueType,
): readonly FieldError[] {
  const errors = [...checkUnit(unit, `${path}.unit`)];
  const isOrdered = isNumeric(type.kind === 'list' ? type.items : type);
  if ((minimum !== undefined || maximum !== undefined) && !isOrdered)
    errors.push(invalid(`${path}.minimum`, minimum ?? maximum, `${text} has no least and greatest value`));
  if (minimum !== undefined && maximum !== undefined && minimum > maximum)
    errors.push(invalid(`${path}.minimum`, minimum, `must not be above the maximum ${maximum}`));
  if (initial !== undefined) errors.push(...checkDefault(initial, `${path}.default`, type, { minimum, maximum }));
  return errors;
}

function checkDefault(
  initial: unknown,
  path: string,
  type: ValueType,
  range: { readonly minimum: number | undefined; readonly maximum: number | undefined },
): readonly FieldError[] {
  try {
    const value = valueFromJson(type, initial);
    const number = Number(value);
    const isOutside = number < (range.minimum ?? number) || number > (range.maximum ?? number);
    return isNumeric(type) && isOutside ? [invalid(path, initial, 'must be between minimum and maximum')] : [];
  } catch (error) {
    if (error instanceof ValueError) return [invalid(path, initial, error.message)];
    throw error;
  }
}

function checkUnit(unit: string | undefined, path: string): readonly FieldError[] {
  return unit === undefined || parseUnit(unit) !== undefined
    ? []
    : [invalid(path, unit, 'is not a UCUM code that is known')];
}
