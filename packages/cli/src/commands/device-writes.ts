/** `skerry device set|call`: what a device is to have, and what it is to do. */
import type { Gvr } from '@skerry/api';
import type { Device } from '@skerry/devices';
import { DEVICE_CALLS, type DeviceCall } from '@skerry/devices/telemetry';
import type { HttpClient } from '@skerry/kube/client';
import { connect } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatJson, formatTable } from '../output.ts';
import type { DeviceFlags } from './device.ts';

const DEVICES: Gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'devices' };

export interface SetFlags extends DeviceFlags {
  readonly wait?: boolean;
  readonly timeout: number;
  readonly expire?: number;
  readonly force?: boolean;
}

/** `limit=5` desires a value, `limit-` takes it back. */
export async function setDevice(
  context: CliContext,
  name: string,
  assignments: readonly string[],
  flags: SetFlags,
): Promise<void> {
  const wanted = new Map(assignments.map(parseAssignment));
  const at = new Date(context.clock.now()).toISOString();
  const notAfter = flags.expire === undefined ? null : new Date(context.clock.now() + flags.expire).toISOString();
  const wish = { at, notAfter, by: null, force: flags.force === true ? true : null };
  const desired = Object.fromEntries(
    [...wanted].map(([property, value]) => [property, value === undefined ? null : { value, ...wish }]),
  );
  using client = await connect(context, flags);
  const ref = { gvr: DEVICES, namespace: flags.namespace, name };
  await client.patch<Device>(ref, { spec: { desired } }, { type: 'merge' });
  const properties = [...wanted].filter(([, value]) => value !== undefined).map(([property]) => property);
  if (flags.wait !== true || properties.length === 0) {
    context.say(`skerry: device ${name} is to have it\n`);
    return;
  }
  const writes = await outcomes(context, client, { name, properties, at, flags });
  context.print(flags.output === 'json' ? formatJson(writes) : writesTable(writes));
  const failed = properties.find((property) => writes[property]?.result !== 'Confirmed');
  if (failed !== undefined)
    throw cliErrors.NOT_CONFIRMED({ property: failed, result: writes[failed]?.result ?? 'Pending' });
}

type Writes = NonNullable<NonNullable<Device['status']>['writes']>;

interface Awaited {
  readonly name: string;
  readonly properties: readonly string[];
  readonly at: string;
  readonly flags: SetFlags;
}

/** What the status says of these wishes, once all of them have come to an end or time is up. */
async function outcomes(
  { clock }: CliContext,
  client: HttpClient,
  { name, properties, at, flags }: Awaited,
): Promise<Writes> {
  const limit = new AbortController();
  const timer = clock.after(flags.timeout, () => limit.abort());
  let seen: Writes = {};
  try {
    const { namespace } = flags;
    const options = { namespace, fieldSelector: `metadata.name=${name}`, signal: limit.signal };
    for await (const { object } of client.watch<Device>(DEVICES, options)) {
      const { writes = {} } = object.status ?? {};
      seen = Object.fromEntries(
        properties.flatMap((property) => {
          const write = writes[property];
          return write?.at === at ? [[property, write]] : [];
        }),
      );
      if (properties.every((property) => (seen[property]?.result ?? 'Pending') !== 'Pending')) break;
    }
  } catch (error) {
    if (!limit.signal.aborted) throw error;
  } finally {
    timer.cancel();
  }
  return seen;
}

function writesTable(writes: Writes): string {
  const rows = Object.entries(writes).map(([property, { result, reason = '', value }]) => [
    property,
    JSON.stringify(value),
    result,
    reason,
  ]);
  return formatTable(['PROPERTY', 'VALUE', 'RESULT', 'REASON'], rows);
}

export async function callDevice(
  context: CliContext,
  name: string,
  command: string,
  parameters: readonly string[],
  flags: DeviceFlags,
): Promise<void> {
  const input = Object.fromEntries(parameters.map(parseAssignment));
  using client = await connect(context, flags);
  const { namespace } = flags;
  const call = await client.create<DeviceCall>(DEVICE_CALLS, {
    apiVersion: `${DEVICE_CALLS.group}/${DEVICE_CALLS.version}`,
    kind: 'DeviceCall',
    metadata: { namespace },
    spec: { device: name, command, input },
  });
  const { output = {} } = call.status ?? {};
  if (flags.output === 'json') context.print(formatJson(output));
  else if (Object.keys(output).length === 0) context.say(`skerry: ${name} has carried out ${command}\n`);
  else {
    const rows = Object.entries(output).map(([parameter, value]) => [parameter, JSON.stringify(value)]);
    context.print(formatTable(['OUTPUT', 'VALUE'], rows));
  }
}

/** JSON where it is JSON, else the text as it is. `NAME-` stands for nothing. */
function parseAssignment(argument: string): readonly [string, unknown] {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?:=(.*)|-)$/s.exec(argument);
  const [, name, value] = match ?? [];
  if (name === undefined) throw cliErrors.INVALID_ARGUMENT({ argument, problem: 'must be NAME=VALUE, as in limit=5' });
  return [name, value === undefined ? undefined : jsonOrText(value)];
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
