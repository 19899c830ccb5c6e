/** The address space as it is to be, from models and devices, as a list of nodes that can be compared. Pure. */
import type { ResolvedModel, ResolvedProperty } from '../../models/resolve-model.ts';
import type { Device } from '../../resources/device.ts';
import type { EnumMember, ModelParameter } from '../../resources/device-model.ts';
import { parseValueType, type ValueType } from '../../values/value-type.ts';
import { StructureCatalogue, type StructurePlan } from './structure-catalogue.ts';

/** What is shown of a device. */
export interface ShownDevice {
  readonly name: string;
  readonly description?: string;
  readonly model: ResolvedModel;
  /** Those that the device has a visitor for; the others of its model it does not know. */
  readonly properties: ReadonlySet<string>;
  readonly commands: ReadonlySet<string>;
}

interface NodeBase {
  /** Of the whole server, and the identifier of its node. */
  readonly id: string;
  readonly name: string;
  readonly description?: string;
}

/** Of one property: of a type, of a device, or a field of a structure. */
export interface VariablePlan extends NodeBase {
  readonly kind: 'variable';
  readonly parent: string;
  readonly isOfType: boolean;
  readonly type: ValueType;
  /** Its data type, or that of its items, where they are structures. */
  readonly structure?: string;
  readonly unit?: string;
  /** What clients are told: only where there are both bounds. */
  readonly range?: { readonly low: number; readonly high: number };
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly EnumMember[];
  readonly isReadable: boolean;
  readonly isWritable: boolean;
}

export interface ParameterPlan {
  readonly name: string;
  readonly type: ValueType;
  readonly structure?: string;
  readonly description?: string;
}

export interface MethodPlan extends NodeBase {
  readonly kind: 'method';
  readonly parent: string;
  readonly isOfType: boolean;
  readonly input: readonly ParameterPlan[];
  readonly output: readonly ParameterPlan[];
}

export interface TypePlan extends NodeBase {
  readonly kind: 'type';
  /** Undefined for one that extends nothing. */
  readonly base?: string;
}

export interface ObjectPlan extends NodeBase {
  readonly kind: 'object';
  readonly typeId: string;
  /** Of the type: when one of it is another one, so is the object. */
  readonly lineage: readonly string[];
}

export type NodePlan = StructurePlan | TypePlan | ObjectPlan | VariablePlan | MethodPlan;

/** In an order in which each node comes after those that it needs. */
export function planSpace(devices: readonly ShownDevice[], lookUp: (model: string) => ResolvedModel | undefined) {
  const structures = new StructureCatalogue(lookUp);
  const types = new Map<string, readonly NodePlan[]>();
  const addType = (name: string): void => {
    const model = types.has(name) ? undefined : lookUp(name);
    if (model === undefined) return;
    const base = model.lineage[1];
    if (base !== undefined) addType(base);
    types.set(name, typeNodes(model, structures));
  };
  for (const { model } of devices) addType(model.name);
  const shown = devices.flatMap((device) => deviceNodes(device, structures));
  return [...structures.plans, ...[...types.values()].flat(), ...shown];
}

/** A device as it is placed and written, shown with what its model says. */
export function shownDevice({ metadata, spec }: Device, model: ResolvedModel): ShownDevice {
  return {
    name: metadata.name ?? '',
    model,
    properties: new Set((spec.visitors ?? []).map(({ property }) => property)),
    commands: new Set((spec.commands ?? []).map(({ name }) => name)),
  };
}

const typeId = (model: string) => `model:${model}`;

function typeNodes(model: ResolvedModel, structures: StructureCatalogue): readonly NodePlan[] {
  const id = typeId(model.name);
  const base = model.lineage[1];
  const type: TypePlan = {
    kind: 'type',
    id,
    name: model.name,
    ...described(model),
    ...(base === undefined ? {} : { base: typeId(base) }),
  };
  const own = [...model.properties.values()].filter(({ declaredBy }) => declaredBy === model.name);
  const structureOf = (property: ResolvedProperty) => structures.idOf(property.valueType, model);
  return [
    type,
    ...own.map((property) => variableOf(property, { parent: id, isOfType: true, structure: structureOf(property) })),
  ];
}

function deviceNodes(device: ShownDevice, structures: StructureCatalogue): readonly NodePlan[] {
  const { name, model } = device;
  const object: ObjectPlan = {
    kind: 'object',
    id: name,
    name,
    ...described(device),
    typeId: typeId(model.name),
    lineage: model.lineage,
  };
  const shown = [...model.properties.values()].filter((each) => device.properties.has(each.name));
  const structureOf = (type: ValueType) => structures.idOf(type, model);
  const methods = [...model.commands.values()].filter((each) => device.commands.has(each.name));
  return [
    object,
    ...shown.flatMap((property) => {
      const structure = structures.idOf(property.valueType, model);
      return withFields(variableOf(property, { parent: name, isOfType: false, structure }), structureOf);
    }),
    ...methods.map(
      (command): MethodPlan => ({
        kind: 'method',
        id: `${name}/${command.name}`,
        name: command.name,
        parent: name,
        isOfType: false,
        ...described(command),
        input: parametersOf(command.input, model, structureOf),
        output: parametersOf(command.output, model, structureOf),
      }),
    ),
  ];
}

type StructureOf = (type: ValueType) => string | undefined;

interface VariablePlace {
  readonly parent: string;
  readonly isOfType: boolean;
  readonly structure: string | undefined;
}

function variableOf(property: ResolvedProperty, { parent, isOfType, structure }: VariablePlace): VariablePlan {
  const { name, valueType, unit, minimum, maximum, access = 'ReadOnly' } = property;
  return {
    kind: 'variable',
    id: `${parent}/${name}`,
    name,
    parent,
    isOfType,
    type: valueType,
    ...(structure === undefined ? {} : { structure }),
    ...described(property),
    ...(unit === undefined ? {} : { unit }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(minimum === undefined || maximum === undefined ? {} : { range: { low: minimum, high: maximum } }),
    ...(property.enum === undefined ? {} : { enum: property.enum }),
    isReadable: access !== 'WriteOnly',
    isWritable: access !== 'ReadOnly' && !isOfType,
  };
}

/** The fields of a structure, each a variable that is also read by itself. */
function withFields(variable: VariablePlan, structureOf: StructureOf): readonly VariablePlan[] {
  if (variable.type.kind !== 'struct') return [variable];
  const fields = variable.type.fields.map(({ name, type, unit }): VariablePlan => {
    const structure = structureOf(type);
    return {
      kind: 'variable',
      id: `${variable.id}/${name}`,
      name,
      parent: variable.id,
      isOfType: false,
      type,
      ...(structure === undefined ? {} : { structure }),
      ...(unit === undefined ? {} : { unit }),
      isReadable: variable.isReadable,
      isWritable: false,
    };
  });
  return [variable, ...fields.flatMap((field) => withFields(field, structureOf))];
}

function parametersOf(
  parameters: readonly ModelParameter[] = [],
  { structs }: ResolvedModel,
  structureOf: StructureOf,
): readonly ParameterPlan[] {
  return parameters.flatMap((parameter) => {
    const type = parseValueType(parameter.type, structs);
    // The model was not accepted with such a type; the call says so, too.
    if (typeof type === 'string') return [];
    const structure = structureOf(type);
    return [{ name: parameter.name, type, ...(structure === undefined ? {} : { structure }), ...described(parameter) }];
  });
}

function described({ description }: { readonly description?: string }): { readonly description?: string } {
  return description === undefined ? {} : { description };
}

export interface SpaceChanges {
  /** Ids; each with all that is below it. */
  readonly gone: readonly string[];
  readonly fresh: readonly NodePlan[];
}

/** What stays the same is not touched, so that who subscribed to it hears nothing of the change. */
export function spaceChanges(old: readonly NodePlan[], planned: readonly NodePlan[]): SpaceChanges {
  const before = new Map(old.map((plan) => [plan.id, JSON.stringify(plan)]));
  const after = new Set(planned.map(({ id }) => id));
  const fresh: NodePlan[] = [];
  const freshIds = new Set<string>();
  for (const plan of planned) {
    if (before.get(plan.id) === JSON.stringify(plan) && !needsOf(plan).some((id) => freshIds.has(id))) continue;
    fresh.push(plan);
    freshIds.add(plan.id);
  }
  const gone = old.map(({ id }) => id).filter((id) => !after.has(id) || freshIds.has(id));
  return { gone, fresh };
}

/** The nodes that must be there before it, and go with it. */
function needsOf(plan: NodePlan): readonly string[] {
  switch (plan.kind) {
    case 'structure':
      return plan.fields.flatMap(({ structure }) => structure ?? []);
    case 'type':
      return plan.base === undefined ? [] : [plan.base];
    case 'object':
      return [plan.typeId];
    case 'variable':
      return plan.structure === undefined ? [plan.parent] : [plan.parent, plan.structure];
    case 'method':
      return [plan.parent, ...[...plan.input, ...plan.output].flatMap(({ structure }) => structure ?? [])];
  }
}
