/** `skerry device history`: what a device itself has kept of a property. */
import { DEVICE_HISTORIES, type DeviceHistory } from '@skerry/devices/telemetry';
import { connect } from '../connection.ts';
import type { CliContext } from '../context.ts';
import { formatCsv, formatJson, formatTable } from '../output.ts';
import { type TimeFlags, timesOf } from '../time-flags.ts';
import type { DeviceFlags } from './device.ts';

export interface HistoryFlags extends Omit<DeviceFlags, 'output'>, TimeFlags {
  readonly limit: number;
  readonly output?: 'json' | 'csv';
}

export async function deviceHistory(
  context: CliContext,
  name: string,
  property: string,
  flags: HistoryFlags,
): Promise<void> {
  const { start: from, end: to } = timesOf(flags, context.clock.now());
  const { namespace, limit } = flags;
  using client = await connect(context, flags);
  const { status } = await client.create<DeviceHistory>(DEVICE_HISTORIES, {
    apiVersion: `${DEVICE_HISTORIES.group}/${DEVICE_HISTORIES.version}`,
    kind: 'DeviceHistory',
    metadata: { namespace },
    spec: { device: name, property, from, to, limit },
  });
  const values = status?.values ?? [];
  if (flags.output === 'json') {
    context.print(formatJson(values));
    return;
  }
  const header = ['TIME', 'VALUE', 'QUALITY'];
  const rows = values.map(({ time, value, quality }) => [
    time,
    value === undefined ? '' : JSON.stringify(value),
    quality,
  ]);
  if (flags.output === 'csv') context.print(formatCsv(header, rows));
  else if (rows.length === 0) context.say(`skerry: ${name} has kept nothing of ${property} in this time\n`);
  else context.print(formatTable(header, rows));
  if (rows.length === limit)
    context.say(`skerry: the oldest ${limit} only; --limit asks for more, --from for later ones\n`);
}
