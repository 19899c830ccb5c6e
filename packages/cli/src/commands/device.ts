/** `skerry device list|show|get|watch`: devices as the API shows them, and what they say now. */
import { type Gvr, StatusError, type WatchEvent } from '@skerry/api';
import type { Device } from '@skerry/devices';
import { DEVICE_VALUES, type DeviceValues, type LiveValue } from '@skerry/devices/telemetry';
import type { HttpClient } from '@skerry/kube/client';
import { type ConnectionFlags, connect } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatAge, formatFacts, formatJson, formatTable } from '../output.ts';

export interface DeviceFlags extends ConnectionFlags {
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly output?: 'json';
}

const DEVICES: Gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'devices' };

/** A watch that the server ended begins anew after so long. */
const WATCH_AGAIN_MS = 1000;

export async function listDevices(context: CliContext, flags: DeviceFlags): Promise<void> {
  using client = await connect(context, flags);
  const { items } = await client.list<Device>(DEVICES, placeOf(flags));
  if (flags.output === 'json') context.print(formatJson(items));
  else if (items.length === 0) context.say('skerry: there is no device here yet\n');
  else context.print(deviceTable(items, context.clock.now()));
}

function deviceTable(devices: readonly Device[], now: number): string {
  const rows = devices.map(({ metadata, spec, status }) => [
    metadata.namespace ?? '',
    metadata.name ?? '',
    spec.model.name,
    spec.protocol,
    status?.nodes?.[0] ?? '-',
    status?.state ?? 'Pending',
    syncOf(status)?.status ?? '-',
    ago(status?.lastSeen, now),
    ago(metadata.creationTimestamp, now),
  ]);
  return formatTable(['NAMESPACE', 'NAME', 'MODEL', 'PROTOCOL', 'NODE', 'STATE', 'IN SYNC', 'LAST SEEN', 'AGE'], rows);
}

/** Whether it has what it is to have; undefined where nothing is desired. */
function syncOf(status: Device['status']) {
  return status?.conditions?.find(({ type }) => type === 'InSync');
}

export async function showDevice(context: CliContext, name: string, flags: DeviceFlags): Promise<void> {
  using client = await connect(context, flags);
  const device = await client.get<Device>({ gvr: DEVICES, namespace: flags.namespace, name });
  if (flags.output === 'json') {
    context.print(formatJson(device));
    return;
  }
  const { metadata, spec, status = {} } = device;
  const now = context.clock.now();
  const { counters = {} } = status;
  context.print(
    formatFacts([
      ['Name', `${metadata.namespace}/${metadata.name}`],
      ['Model', spec.model.name],
      ['Protocol', spec.protocol],
      ['Endpoint', spec.connection?.endpoint ?? 'none'],
      ['Node', status.nodes?.[0] ?? 'none'],
      ['State', status.state ?? 'Pending'],
      ['Error', status.lastError || 'none'],
      ['In sync', syncText(status)],
      ['Last seen', ago(status.lastSeen, now)],
      ['Connected', ago(status.connectedSince, now)],
      ['Values', `${counters.in ?? 0} in, ${counters.out ?? 0} out, ${droppedText(counters.dropped)}`],
      ['Readings', `${counters.reads ?? 0}, ${counters.readErrors ?? 0} failed`],
    ]),
  );
  const rows = Object.entries(status.reported ?? {}).map(([property, { value, quality, time }]) => [
    property,
    valueText(value),
    quality,
    ago(time, now),
  ]);
  if (rows.length > 0) context.print(`\n${formatTable(['PROPERTY', 'REPORTED', 'QUALITY', 'AGE'], rows)}`);
  context.print(wishesText(device));
}

function syncText(status: Device['status']): string {
  const { status: is, reason, message } = syncOf(status) ?? {};
  if (is === undefined) return 'nothing is desired';
  return is === 'True' ? 'yes' : `${is === 'False' ? 'no' : 'unknown'} (${reason}): ${message}`;
}

/** What is wanted of the device beside what it has, and what became of each wish. */
function wishesText({ spec, status = {} }: Device): string {
  const rows = Object.entries(spec.desired ?? {}).map(([property, { value }]) => {
    const { result = 'Pending', reason = '' } = status.writes?.[property] ?? {};
    return [property, valueText(value), valueText(status.reported?.[property]?.value), result, reason];
  });
  return rows.length === 0 ? '' : `\n${formatTable(['PROPERTY', 'DESIRED', 'REPORTED', 'RESULT', 'REASON'], rows)}`;
}

function droppedText(dropped: Readonly<Record<string, number>> = {}): string {
  const reasons = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`);
  return reasons.length === 0 ? '0 dropped' : `dropped: ${reasons.join(', ')}`;
}

export async function getValues(
  context: CliContext,
  name: string,
  properties: readonly string[],
  flags: DeviceFlags,
): Promise<void> {
  using client = await connect(context, flags);
  const { namespace } = flags;
  const [{ values }, { spec }] = await Promise.all([
    client.get<DeviceValues>({ gvr: DEVICE_VALUES, namespace, name }),
    client.get<Device>({ gvr: DEVICES, namespace, name }),
  ]);
  const unknown = properties.find((property) => !values.some((each) => each.property === property));
  if (unknown !== undefined)
    throw cliErrors.INVALID_ARGUMENT({ argument: unknown, problem: `${name} has no value of this property` });
  const wanted = properties.length === 0 ? values : values.filter(({ property }) => properties.includes(property));
  const beside = wanted.map((value) => ({ ...value, ...desiredOf(spec.desired?.[value.property]) }));
  if (flags.output === 'json') context.print(formatJson(beside));
  else context.print(formatTable(['PROPERTY', 'VALUE', 'DESIRED', 'UNIT', 'QUALITY', 'TIME'], beside.map(rowOf)));
}

/** Beside what a property has, what it is to have. */
interface BesideDesired extends LiveValue {
  readonly desired?: unknown;
}

function desiredOf(wish: { readonly value: unknown } | undefined): { readonly desired?: unknown } {
  return wish === undefined ? {} : { desired: wish.value };
}

function rowOf({ property, value, desired, unit, quality, time }: BesideDesired): readonly string[] {
  return [property, valueText(value), valueText(desired), unit ?? '', quality, time];
}

/** Until `stop`. A node that goes away ends a watch, so it begins anew. */
export async function watchValues(
  context: CliContext,
  name: string | undefined,
  flags: DeviceFlags,
  stop: AbortSignal,
): Promise<void> {
  using client = await connect(context, flags);
  while (!stop.aborted) {
    try {
      for await (const event of eventsOf(client, name, flags, stop)) context.print(eventText(event, flags));
    } catch (error) {
      if (stop.aborted) return;
      // What is not there will not come by waiting; a node that is away may.
      if (!(error instanceof StatusError) || error.code < 500) throw error;
      context.say(`skerry: ${error.message}\n`);
    }
    await context.clock.sleep(WATCH_AGAIN_MS, stop).catch(() => {});
  }
}

function eventsOf(client: HttpClient, name: string | undefined, flags: DeviceFlags, signal: AbortSignal) {
  return client.watch<DeviceValues>(DEVICE_VALUES, {
    ...placeOf(flags),
    ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
    signal,
  });
}

/** A line a value. */
function eventText({ type, object }: WatchEvent<DeviceValues>, { output }: DeviceFlags): string {
  const { metadata, state, values } = object;
  const device = `${metadata.namespace}/${metadata.name}`;
  if (output === 'json') return values.map((value) => `${JSON.stringify({ device, state, ...value })}\n`).join('');
  if (type === 'DELETED') return `${device} is no longer driven\n`;
  return values
    .map(({ property, value, unit, quality, time }) => {
      const trust = quality === 'Good' ? '' : `  (${quality})`;
      return `${time}  ${device}  ${property} = ${valueText(value)}${unit === undefined ? '' : ` ${unit}`}${trust}\n`;
    })
    .join('');
}

function placeOf({ namespace, allNamespaces }: DeviceFlags): { readonly namespace?: string } {
  return allNamespaces === true ? {} : { namespace };
}

function ago(time: string | undefined, now: number): string {
  return time === undefined ? 'never' : formatAge(Date.parse(time), now);
}

function valueText(value: unknown): string {
  if (value === undefined) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
