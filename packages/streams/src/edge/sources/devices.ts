/** Values of devices of the node, off the bus: a row a device and time, or a row a value. */
import { messageOf } from '@skerry/base';
import { type Batch, type SeriesId, severityOf, valueAt } from '../../contract/index.ts';
import type { RowWithMeta } from '../../engine/meta.ts';
import type { DevicesSource, StreamSpec } from '../../kinds/stream.ts';
import type { Value } from '../../sql/index.ts';
import { fromBus } from '../bus-values.ts';
import type { NodeDevice, NodeValues } from '../node-values.ts';
import type { Source, SourceContext, SourceTarget } from './source.ts';

/** By device: what its properties were last. */
type Known = Map<string, Record<string, Value>>;

interface Point {
  readonly device: string;
  readonly property: string;
  readonly type: string;
}

export function openDevices(
  spec: StreamSpec,
  target: SourceTarget,
  { namespace, name, log }: SourceContext,
  values: NodeValues,
  position?: unknown,
): Source {
  const { rows = 'Device', properties, ...selector } = spec.source.devices ?? {};
  let points = new Map<SeriesId, Point>();
  const select = () => {
    points = selectPoints(values, (device) => isSelected(device, namespace, selector), properties);
    target.problem(points.size === 0 ? 'no device of the node is selected' : undefined);
  };
  select();
  const end = values.onDevices(select);
  const subscription = values.bus.subscribe({ name: `stream ${namespace}/${name}` });
  const known: Known = new Map(position as Known | undefined);
  const take =
    rows === 'Value' ? (batch: Batch) => takeValues(batch, points, target) : deviceRows(() => points, target, known);
  const running = (async () => {
    for await (const batch of subscription) take(batch);
  })().catch((error: unknown) => log.error({ stream: name, error: messageOf(error) }, 'values of devices not taken'));
  return {
    // It cannot go back, but has rows that say what came before.
    ...(rows === 'Value' ? {} : { position: () => known }),
    close: async () => {
      end();
      subscription.close();
      await running;
    },
  };
}

function isSelected(device: NodeDevice, namespace: string, { names, matchLabels = {}, model }: DevicesSource): boolean {
  if (device.namespace !== namespace) return false;
  if (names !== undefined && names.length > 0 && !names.includes(device.name)) return false;
  if (model !== undefined && device.model !== model) return false;
  return Object.entries(matchLabels).every(([label, value]) => device.labels[label] === value);
}

function selectPoints(
  values: NodeValues,
  isWanted: (device: NodeDevice) => boolean,
  properties: readonly string[] | undefined,
): Map<SeriesId, Point> {
  const points = new Map<SeriesId, Point>();
  for (const device of values.devices().filter(isWanted)) {
    for (const { property, series } of device.points) {
      if (properties !== undefined && properties.length > 0 && !properties.includes(property)) continue;
      points.set(series, { device: device.name, property, type: values.series.describe(series)?.type ?? '' });
    }
  }
  return points;
}

function takeValues(batch: Batch, points: ReadonlyMap<SeriesId, Point>, target: SourceTarget): void {
  for (let at = 0; at < batch.length; at++) {
    const point = points.get(batch.series[at] ?? 0);
    if (point === undefined) continue;
    const time = batch.times[at] ?? 0;
    const quality = severityOf(batch.qualities[at] ?? 0);
    const value = fromBus(point.type, valueAt(batch, at));
    target.row({ device: point.device, property: point.property, value, quality, time }, time);
  }
}

/** Of each device, what was last known of all its properties; a row for each time at which something of it came. */
function deviceRows(
  points: () => ReadonlyMap<SeriesId, Point>,
  target: SourceTarget,
  known: Known,
): (batch: Batch) => void {
  const open = new Map<string, number>();
  const give = (device: string, time: number) => {
    open.delete(device);
    const row: RowWithMeta = { device, ...known.get(device), time };
    target.row(row, time);
  };
  return (batch) => {
    for (let at = 0; at < batch.length; at++) {
      const point = points().get(batch.series[at] ?? 0);
      if (point === undefined) continue;
      const time = batch.times[at] ?? 0;
      const before = open.get(point.device);
      if (before !== undefined && before !== time) give(point.device, before);
      open.set(point.device, time);
      let fields = known.get(point.device);
      if (fields === undefined) {
        fields = {};
        known.set(point.device, fields);
      }
      fields[point.property] = fromBus(point.type, valueAt(batch, at));
    }
    for (const [device, time] of open) give(device, time);
  };
}
