/** What is wrong with a Device beyond what its schema says: held against its model and its protocol. Pure. */
import type { FieldError } from '@skerry/api';
import { parseDuration } from '@skerry/api/durations';
import { checkOpen, type Protocol } from '../protocols/protocol.ts';
import type { CommandVisitor, Device, DeviceSpec, Visitor } from '../resources/device.ts';
import { compileCodec } from '../values/codec.ts';
import { ExpressionError } from '../values/expression.ts';
import { ValueError, valueFromJson } from '../values/value.ts';
import { isNumeric } from '../values/value-type.ts';
import { forbidden, invalid, notFound, required } from './field-errors.ts';
import type { ResolvedModel, ResolvedProperty } from './resolve-model.ts';

/** `model` and `protocol` are undefined where they are not known here: what they would decide is then left to the node. */
export function validateDevice(
  { spec }: Pick<Device, 'spec'>,
  model: ResolvedModel | undefined,
  protocol: Protocol | undefined,
): readonly FieldError[] {
  return [
    ...(model === undefined ? [] : checkAgainstModel(spec, model)),
    ...(protocol === undefined ? [] : checkAgainstProtocol(spec, protocol)),
    ...checkTimes(spec),
  ];
}

function checkAgainstModel(spec: DeviceSpec, model: ResolvedModel): readonly FieldError[] {
  const { visitors = [], commands = [], events = [], desired = {} } = spec;
  return [
    ...visitors.flatMap((visitor, at) => checkVisitor(visitor, `spec.visitors[${at}]`, model)),
    ...checkNames(commands, 'spec.commands', model.commands),
    ...checkNames(events, 'spec.events', model.events),
    ...Object.entries(desired).flatMap(([name, { value }]) =>
      checkDesired(model.properties.get(name), value, `spec.desired.${name}`, name),
    ),
  ];
}

function checkNames(
  visitors: readonly CommandVisitor[],
  path: string,
  known: ReadonlyMap<string, unknown>,
): readonly FieldError[] {
  return visitors.flatMap(({ name }, at) => (known.has(name) ? [] : [notFound(`${path}[${at}].name`, name)]));
}

function checkVisitor(visitor: Visitor, path: string, model: ResolvedModel): readonly FieldError[] {
  const property = model.properties.get(visitor.property);
  if (property === undefined) return [notFound(`${path}.property`, visitor.property)];
  return [...checkEncoding(visitor, property, path), ...checkCleaning(visitor, property, path)];
}

function checkEncoding(
  { encoding }: Visitor,
  { valueType, unit, access }: ResolvedProperty,
  path: string,
): readonly FieldError[] {
  try {
    compileCodec(valueType, unit, encoding);
  } catch (error) {
    if (error instanceof ValueError || error instanceof ExpressionError)
      return [invalid(`${path}.encoding`, encoding, error.message)];
    throw error;
  }
  const isWritten = access === 'ReadWrite' || access === 'WriteOnly';
  return isWritten && encoding?.expression !== undefined && encoding.writeExpression === undefined
    ? [
        required(
          `${path}.encoding.writeExpression`,
          'the property is written, and an expression cannot be turned round',
        ),
      ]
    : [];
}

function checkCleaning(
  { cleaning, mode }: Visitor,
  { valueType, access, type }: ResolvedProperty,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (access === 'WriteOnly' && mode !== 'WriteOnly')
    errors.push(invalid(`${path}.mode`, mode, 'the property cannot be read, so the mode must be WriteOnly'));
  if (cleaning === undefined) return errors;
  const { filter, deadband } = cleaning;
  if ((filter !== undefined || deadband !== undefined) && !isNumeric(valueType))
    errors.push(invalid(`${path}.cleaning`, type, 'has neither filter nor deadband'));
  if (filter?.type === 'Exponential' && filter.alpha === undefined)
    errors.push(required(`${path}.cleaning.filter.alpha`, 'an exponential mean needs it'));
  if (filter !== undefined && filter.type !== 'Exponential' && filter.window === undefined)
    errors.push(required(`${path}.cleaning.filter.window`, 'it says of how many samples'));
  return errors;
}

/** What is wrong with it as a value of the property. */
export function checkDesired(
  property: ResolvedProperty | undefined,
  value: unknown,
  path: string,
  name: string,
): readonly FieldError[] {
  if (property === undefined) return [notFound(path, name)];
  if (property.access !== 'ReadWrite' && property.access !== 'WriteOnly')
    return [forbidden(path, `the property ${name} is read-only`)];
  try {
    const number = Number(valueFromJson(property.valueType, value));
    const { minimum = number, maximum = number, enum: members, valueType } = property;
    if (!isNumeric(valueType)) return [];
    if (number < minimum || number > maximum)
      return [invalid(path, value, `must be between ${property.minimum ?? '-∞'} and ${property.maximum ?? '∞'}`)];
    return members === undefined || members.some((member) => member.value === number)
      ? []
      : [invalid(path, value, `must be one of ${members.map((member) => member.value).join(', ')}`)];
  } catch (error) {
    if (error instanceof ValueError) return [invalid(path, value, error.message)];
    throw error;
  }
}

function checkAgainstProtocol(spec: DeviceSpec, protocol: Protocol): readonly FieldError[] {
  const { connection, visitors = [], commands = [], events = [] } = spec;
  const { options, address, command, event } = protocol;
  return [
    ...checkOpen(['spec', 'connection', 'options'], connection?.options ?? {}, options),
    ...visitors.flatMap((visitor, at) => checkOpen(['spec', 'visitors', at, 'address'], visitor.address, address)),
    ...commands.flatMap((each, at) =>
      command === undefined
        ? [forbidden(`spec.commands[${at}]`, `the protocol ${protocol.name} has no commands`)]
        : checkOpen(['spec', 'commands', at, 'address'], each.address, command),
    ),
    ...events.flatMap((each, at) =>
      event === undefined
        ? [forbidden(`spec.events[${at}]`, `the protocol ${protocol.name} has no events`)]
        : checkOpen(['spec', 'events', at, 'address'], each.address, event),
    ),
    ...(protocol.check?.(spec) ?? []),
  ];
}

const LEAST_REPORTING_MS = 1000;

function checkTimes({ reporting, connection }: DeviceSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const interval = reporting?.interval;
  if (interval !== undefined && (parseDuration(interval) ?? 0) < LEAST_REPORTING_MS)
    errors.push(
      invalid('spec.reporting.interval', interval, 'must be at least 1s; live values are in telemetry.skerry.io'),
    );
  const timeout = connection?.timeout;
  if (timeout !== undefined && (parseDuration(timeout) ?? 0) <= 0)
    errors.push(invalid('spec.connection.timeout', timeout, 'must be above 0'));
  return errors;
}
