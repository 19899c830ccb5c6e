/** How each kind of planned node is made, and what happens when a client writes it or calls it. */
import { callbackify } from 'node:util';
import {
  type AddressSpace,
  type ISessionContext,
  type Namespace,
  resolveOpaqueOnAddressSpace,
  SessionContext,
  type UAMethod,
  type UAObject,
  type UAObjectType,
  type UAVariable,
} from 'node-opcua-address-space';
import {
  AttributeIds,
  type CallMethodResultOptions,
  DataType,
  type StatusCode,
  StatusCodes,
  type Variant,
  type WriteValueOptions,
} from 'node-opcua-client';
import { ValueError } from '../../values/value.ts';
import { isNumeric } from '../../values/value-type.ts';
import { isDriverError } from '../driver-error.ts';
import type { DeviceDoor } from '../twin/door.ts';
import type { MethodPlan, ParameterPlan, TypePlan, VariablePlan } from './space-plan.ts';
import { dataTypeId, structureClass } from './space-structures.ts';
import { engineeringUnit, UNECE_NAMESPACE } from './unece.ts';
import { emptyVariant, jsonOf, type StructureClass, valueRankOf, variantOf } from './variants.ts';
import { statusOfError, statusOfWrite } from './write-status.ts';

export interface SpaceContext {
  readonly addressSpace: AddressSpace;
  readonly own: Namespace;
  /** Of the devices. */
  readonly namespace: string;
  readonly door: DeviceDoor;
  readonly signal: AbortSignal;
}

export function addType({ own }: SpaceContext, { id, name, base, description }: TypePlan): UAObjectType {
  return own.addObjectType({
    browseName: name,
    nodeId: `s=${id}`,
    subtypeOf: base === undefined ? 'BaseObjectType' : `ns=${own.index};s=${base}`,
    ...(description === undefined ? {} : { description }),
  });
}

export function addVariable(context: SpaceContext, plan: VariablePlan, parent: Parent): ShownVariable {
  const { own } = context;
  const structure = structureClass(context, plan.structure);
  const access = [plan.isReadable ? 'CurrentRead' : '', plan.isWritable ? 'CurrentWrite' : ''].filter((each) => each);
  const variable = own.addVariable({
    browseName: plan.name,
    nodeId: `s=${plan.id}`,
    componentOf: parent,
    typeDefinition: typeDefinitionOf(plan),
    dataType: dataTypeId(own, plan),
    valueRank: valueRankOf(plan.type),
    ...(plan.type.kind === 'list' ? { arrayDimensions: [plan.type.length ?? 0] } : {}),
    accessLevel: access.join(' | '),
    userAccessLevel: access.join(' | '),
    // Changes are told as they come; nothing here is sampled.
    minimumSamplingInterval: 0,
    ...(plan.isOfType ? { modellingRule: 'Optional' as const } : {}),
    ...(plan.description === undefined ? {} : { description: plan.description }),
  });
  variable.setValueFromSource(emptyVariant(plan.type, structure), StatusCodes.BadWaitingForInitialData);
  addProperties(context, plan, variable);
  const shown: ShownVariable = { plan, node: variable, structure };
  if (plan.isWritable) writeThroughDoor(context, shown);
  return shown;
}

export interface ShownVariable {
  readonly plan: VariablePlan;
  readonly node: UAVariable;
  /** What its values are made with, where they are structures. */
  readonly structure: StructureClass | undefined;
}

type Parent = UAObject | UAObjectType | UAVariable | UAMethod;

function typeDefinitionOf({ unit, range, enum: members }: VariablePlan): string {
  if (members !== undefined) return 'MultiStateValueDiscreteType';
  if (unit !== undefined) return range === undefined ? 'AnalogUnitType' : 'AnalogUnitRangeType';
  return range === undefined ? 'BaseDataVariableType' : 'AnalogItemType';
}

function addProperties(context: SpaceContext, plan: VariablePlan, variable: UAVariable): void {
  const { unit, range, enum: members } = plan;
  const add = (name: string, dataType: string, value: object, valueRank = -1) =>
    context.own.addVariable({
      browseName: { name, namespaceIndex: 0 },
      nodeId: `s=${plan.id}#${name}`,
      propertyOf: variable,
      typeDefinition: 'PropertyType',
      dataType,
      valueRank,
      accessLevel: 'CurrentRead',
      userAccessLevel: 'CurrentRead',
      ...(plan.isOfType ? { modellingRule: 'Optional' as const } : {}),
      value,
    });
  const extension = (name: string, fields: object) => {
    const type = context.addressSpace.findDataType(name);
    if (type === null) throw new RangeError(`the standard knows no ${name}`);
    return context.addressSpace.constructExtensionObject(type, { ...fields });
  };
  if (range !== undefined)
    add('EURange', 'Range', { dataType: DataType.ExtensionObject, value: extension('Range', range) });
  if (unit !== undefined) {
    const { unitId, displayName } = engineeringUnit(unit);
    const value = extension('EUInformation', {
      namespaceUri: UNECE_NAMESPACE,
      unitId,
      displayName: { text: displayName },
      description: { text: unit },
    });
    add('EngineeringUnits', 'EUInformation', { dataType: DataType.ExtensionObject, value });
  }
  if (members === undefined) return;
  const value = members.map((member) =>
    extension('EnumValueType', {
      value: [member.value < 0 ? 0xffffffff : 0, member.value >>> 0],
      displayName: { text: member.name },
    }),
  );
  add('EnumValues', 'EnumValueType', { dataType: DataType.ExtensionObject, arrayType: 1, value }, 1);
  add('ValueAsText', 'LocalizedText', { dataType: DataType.LocalizedText, value: { text: '' } });
  const text = variable.getPropertyByName('ValueAsText') as UAVariable | null;
  const names = new Map(members.map((member) => [member.value, member.name]));
  variable.on('value_changed', ({ value: changed }) => {
    text?.setValueFromSource({
      dataType: DataType.LocalizedText,
      value: { text: names.get(Number(changed.value)) ?? String(changed.value) },
    });
  });
}

/**
 * The value of the node stays what samples say it is: the library would show what was written, also when it was refused,
 * and a write would not know who wants it.
 */
function writeThroughDoor(context: SpaceContext, shown: ShownVariable): void {
  const variable = shown.node;
  const others = variable.writeAttribute.bind(variable);
  const replacement = (session: ISessionContext | null, request: WriteValueOptions, callback: StatusCallback) => {
    if (request.attributeId !== AttributeIds.Value) return others(session, request, callback);
    if (session !== null && !variable.isUserWritable(session)) return callback(null, StatusCodes.BadUserAccessDenied);
    // A part of a list is no value of the property.
    if (isPart(request.indexRange)) return callback(null, StatusCodes.BadWriteNotSupported);
    const value = request.value?.value as Variant | undefined;
    if (value === undefined) return callback(null, StatusCodes.BadTypeMismatch);
    callbackify(write)(context, { shown, value, by: whoIn(session) }, callback);
  };
  // The form without a callback is not used by servers.
  variable.writeAttribute = replacement as UAVariable['writeAttribute'];
}

function isPart(range: WriteValueOptions['indexRange']): boolean {
  return typeof range === 'object' && range !== null ? !range.isEmpty() : range !== undefined && range !== null;
}

type StatusCallback = (error: Error | null, status?: StatusCode) => void;

interface Written {
  readonly shown: ShownVariable;
  readonly value: Variant;
  readonly by: string;
}

async function write({ door, namespace, signal }: SpaceContext, { shown, value, by }: Written): Promise<StatusCode> {
  try {
    const { plan, structure } = shown;
    const json = jsonOf(plan.type, value, structure);
    if (!isInRange(plan, json)) return StatusCodes.BadOutOfRange;
    const values = { [plan.name]: json };
    const outcomes = await door.write({ namespace, device: plan.parent, by, values }, signal);
    return statusOfWrite(outcomes[plan.name]);
  } catch (error) {
    if (error instanceof ValueError) return StatusCodes.BadTypeMismatch;
    return isDriverError(error) ? statusOfError(error) : StatusCodes.BadNoCommunication;
  }
}

/** Integers of 64 bits are texts here, and so are NaN and the infinities. */
function isInRange({ type, minimum, maximum }: VariablePlan, json: unknown): boolean {
  if (!isNumeric(type)) return true;
  const number = typeof json === 'string' && /^-?\d+$/.test(json) ? BigInt(json) : Number(json);
  return (minimum === undefined || number >= minimum) && (maximum === undefined || number <= maximum);
}

/** For people who look at the device later. */
function whoIn(session: ISessionContext | null): string {
  return session instanceof SessionContext ? `opcua/${session.getUserName()}` : 'opcua';
}

export function addMethod(context: SpaceContext, plan: MethodPlan, parent: UAObject): UAMethod {
  const method = context.own.addMethod(parent, {
    browseName: plan.name,
    nodeId: `s=${plan.id}`,
    inputArguments: plan.input.map((each) => argumentOf(context, each)),
    outputArguments: plan.output.map((each) => argumentOf(context, each)),
    ...(plan.description === undefined ? {} : { description: plan.description }),
  });
  // With a third parameter it would be one that calls back.
  method.bindMethod(async (input: Variant[], session: ISessionContext) => call(context, plan, input, whoIn(session)));
  return method;
}

function argumentOf({ own }: SpaceContext, parameter: ParameterPlan) {
  const { name, type, description = '' } = parameter;
  return {
    name,
    dataType: dataTypeId(own, parameter),
    valueRank: valueRankOf(type),
    description: { text: description },
    ...(type.kind === 'list' ? { arrayDimensions: [type.length ?? 0] } : {}),
  };
}

async function call(
  context: SpaceContext,
  plan: MethodPlan,
  given: Variant[],
  by: string,
): Promise<CallMethodResultOptions> {
  const { addressSpace, door, namespace, signal } = context;
  try {
    // The library has read structures for writes, and not for calls.
    await resolveOpaqueOnAddressSpace(addressSpace, given);
    const input = Object.fromEntries(
      plan.input.map(({ name, type, structure }, at) => {
        const variant = given[at];
        if (variant === undefined) throw new ValueError(`lacks ${name}`);
        return [name, jsonOf(type, variant, structureClass(context, structure))];
      }),
    );
    const output = await door.call({ namespace, device: plan.parent, by, command: plan.name, input }, signal);
    const outputArguments = plan.output.map(({ name, type, structure }) => {
      const made = structureClass(context, structure);
      return output[name] === undefined ? emptyVariant(type, made) : variantOf(type, output[name], made);
    });
    return { statusCode: StatusCodes.Good, outputArguments };
  } catch (error) {
    if (error instanceof ValueError) return { statusCode: StatusCodes.BadInvalidArgument };
    return { statusCode: isDriverError(error) ? statusOfError(error) : StatusCodes.BadNoCommunication };
  }
}
