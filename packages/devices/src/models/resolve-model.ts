/** A model together with everything that it inherits: what a device of it has. Pure. */
import type { DeviceModel, ModelCommand, ModelEvent, ModelProperty } from '../resources/device-model.ts';
import { parseValueType, type StructDeclaration, type ValueType } from '../values/value-type.ts';

export interface ResolvedModel {
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  /** From the model itself up to the one that extends nothing. */
  readonly lineage: readonly string[];
  readonly structs: ReadonlyMap<string, StructDeclaration>;
  readonly properties: ReadonlyMap<string, ResolvedProperty>;
  readonly commands: ReadonlyMap<string, ModelCommand>;
  readonly events: ReadonlyMap<string, ModelEvent>;
}

export interface ResolvedProperty extends ModelProperty {
  readonly valueType: ValueType;
  /** The model that declares it. */
  readonly declaredBy: string;
}

/** Longer chains are a mistake. */
const MAX_LINEAGE = 16;

export type ModelLookup = (name: string) => DeviceModel | undefined;

/** Or, as text, why there is no such model: it completes the sentence "model NAME …". */
export function resolveModel(name: string, lookup: ModelLookup): ResolvedModel | string {
  const lineage = lineageOf(name, lookup);
  if (typeof lineage === 'string') return lineage;
  const [own] = lineage;
  // From the oldest down, so that what is declared again is the younger one's.
  const oldestFirst = lineage.toReversed();
  const structs = new Map(oldestFirst.flatMap(({ spec }) => (spec.structs ?? []).map((each) => [each.name, each])));
  const properties = new Map<string, ResolvedProperty>();
  for (const { metadata, spec } of oldestFirst) {
    for (const property of spec.properties ?? []) {
      const valueType = parseValueType(property.type, structs);
      if (typeof valueType === 'string') return `has a property ${property.name} whose type ${valueType}`;
      properties.set(property.name, { ...property, valueType, declaredBy: metadata.name ?? '' });
    }
  }
  return {
    name,
    ...(own?.spec.version === undefined ? {} : { version: own.spec.version }),
    ...(own?.spec.description === undefined ? {} : { description: own.spec.description }),
    lineage: lineage.map(({ metadata }) => metadata.name ?? ''),
    structs,
    properties,
    commands: new Map(oldestFirst.flatMap(({ spec }) => (spec.commands ?? []).map((each) => [each.name, each]))),
    events: new Map(oldestFirst.flatMap(({ spec }) => (spec.events ?? []).map((each) => [each.name, each]))),
  };
}

function lineageOf(name: string, lookup: ModelLookup): readonly DeviceModel[] | string {
  const lineage: DeviceModel[] = [];
  for (let next: string | undefined = name; next !== undefined; ) {
    const model: DeviceModel | undefined = lookup(next);
    if (model === undefined) return next === name ? 'does not exist' : `extends ${next}, which does not exist`;
    if (lineage.some(({ metadata }) => metadata.name === next)) return `extends itself by way of ${next}`;
    if (lineage.length === MAX_LINEAGE) return `extends more than ${MAX_LINEAGE} others`;
    lineage.push(model);
    next = model.spec.extends;
  }
  return lineage;
}
