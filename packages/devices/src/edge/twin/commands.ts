/** Calls a command of a device in JSON: the model says what it takes and gives. */
import { parseDuration } from '@skerry/api/durations';
import type { Clock } from '@skerry/base';
import type { ModelParameter } from '../../resources/device-model.ts';
import { type Value, ValueError, valueFromJson, valueToJson } from '../../values/value.ts';
import { parseValueType, type ValueType } from '../../values/value-type.ts';
import { DriverError } from '../driver-error.ts';
import type { LiveDevice } from '../worker/live-device.ts';

type Json = Readonly<Record<string, unknown>>;

/** A command whose model says nothing may take so long. */
const DEFAULT_TIMEOUT_MS = 30_000;

/** Rejects with a DriverError. */
export async function callCommand(
  device: LiveDevice,
  command: string,
  input: Json,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Json> {
  const declared = device.model.commands.get(command);
  if (declared === undefined) throw new DriverError('NotFound', `the device has no command ${command}`);
  const given = inputOf(device, declared.input ?? [], input);
  const limitMs = (declared.timeout === undefined ? undefined : parseDuration(declared.timeout)) ?? DEFAULT_TIMEOUT_MS;
  const limit = new AbortController();
  const timer = clock.after(limitMs, () => limit.abort());
  try {
    const output = await device.call(command, given, AbortSignal.any([signal, limit.signal]));
    const types = new Map((declared.output ?? []).map((each) => [each.name, typeOf(device, each)]));
    return Object.fromEntries(
      [...output].flatMap(([name, value]) => {
        const type = types.get(name);
        return type === undefined ? [] : [[name, valueToJson(type, value)]];
      }),
    );
  } catch (cause) {
    if (limit.signal.aborted) throw new DriverError('TimedOut', `${command} took more than ${limitMs} ms`, { cause });
    throw cause;
  } finally {
    timer.cancel();
  }
}

function inputOf(device: LiveDevice, parameters: readonly ModelParameter[], input: Json): ReadonlyMap<string, Value> {
  const names = new Set(parameters.map(({ name }) => name));
  const unknown = Object.keys(input).find((name) => !names.has(name));
  if (unknown !== undefined) throw new DriverError('Misconfigured', `the command takes no ${unknown}`);
  return new Map(
    parameters.map((parameter) => {
      const { name, default: fallback } = parameter;
      const json = Object.hasOwn(input, name) ? input[name] : fallback;
      if (json === undefined) throw new DriverError('Misconfigured', `the command needs ${name}`);
      return [name, parameterValue(device, parameter, json)];
    }),
  );
}

function parameterValue(device: LiveDevice, parameter: ModelParameter, json: unknown): Value {
  const { name, minimum, maximum } = parameter;
  try {
    const value = valueFromJson(typeOf(device, parameter), json);
    if ((minimum !== undefined && Number(value) < minimum) || (maximum !== undefined && Number(value) > maximum))
      throw new ValueError(`must be between ${minimum ?? '-∞'} and ${maximum ?? '∞'}`);
    return value;
  } catch (cause) {
    if (!(cause instanceof ValueError)) throw cause;
    throw new DriverError('Misconfigured', `${name} ${cause.message}`, { cause });
  }
}

function typeOf({ model }: LiveDevice, { type }: ModelParameter): ValueType {
  const parsed = parseValueType(type, model.structs);
  if (typeof parsed === 'string') throw new DriverError('Misconfigured', `type ${type} ${parsed}`);
  return parsed;
}
