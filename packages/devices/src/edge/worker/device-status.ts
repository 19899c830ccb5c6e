/** A device's status as it is to be written. Pure. */
import { isBad, type LastValues, severityOf } from '@skerry/streams/contract';
import type { Device, Reported } from '../../resources/device.ts';
import { valueFromBus, valueToJson } from '../../values/value.ts';
import type { PlannedPoint } from './device-plan.ts';
import type { DeviceCondition } from './live-device.ts';
import type { StatusView } from './status-writer.ts';

/** So many properties are in a status; all of them are in telemetry.skerry.io. */
const MAX_REPORTED = 1000;

export interface StatusFacts {
  readonly device: Device;
  readonly condition: DeviceCondition;
  readonly points: readonly PlannedPoint[];
  readonly intervalMs: number;
  readonly last: LastValues;
  /** What other parts of the worker have to say: sections of the status. */
  readonly sections?: Readonly<Record<string, unknown>>;
}

export function deviceStatus({ device, condition, points, intervalMs, last, sections = {} }: StatusFacts): StatusView {
  const { state, lastError, lastErrorAt, lastSeenAt, connectedAt, counters } = condition;
  return {
    intervalMs,
    facts: { observedGeneration: device.metadata.generation ?? 0, state, lastError, ...sections },
    times: {
      lastErrorTime: timeText(lastErrorAt),
      lastSeen: timeText(lastSeenAt),
      connectedSince: timeText(connectedAt),
      counters,
    },
    reported: new Map(points.slice(0, MAX_REPORTED).flatMap((point) => reportedOf(point, last))),
  };
}

type ReportedEntry = readonly [string, { readonly fact: unknown; readonly json: Readonly<Record<string, unknown>> }];

function reportedOf(planned: PlannedPoint, last: LastValues): readonly ReportedEntry[] {
  const json = liveValue(planned, last);
  if (json === undefined) return [];
  const { time: _time, ...fact } = json;
  return [[planned.property.name, { fact, json: { value: null, ...json } }]];
}

/** Undefined while nothing has come. A bad sample without a value has none. */
export function liveValue({ series, property }: PlannedPoint, last: LastValues): Reported | undefined {
  const sample = last.get(series);
  if (sample === undefined) return undefined;
  const { value, quality, time } = sample;
  const hasNone = typeof value === 'number' && Number.isNaN(value) && isBad(quality);
  return {
    ...(hasNone ? {} : { value: valueToJson(property.valueType, valueFromBus(property.valueType, value)) }),
    time: timeText(time) ?? '',
    quality: severityOf(quality),
  };
}

/** Null takes it out of the status. */
function timeText(milliseconds: number | undefined): string | null {
  if (milliseconds === undefined || Number.isNaN(new Date(milliseconds).getTime())) return null;
  return new Date(milliseconds).toISOString();
}
