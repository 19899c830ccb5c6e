/** A device's status as it is to be written. Pure. */
import { isBad, type LastValues, severityOf } from '@skerry/streams/contract';
import type { Device } from '../../resources/device.ts';
import type { Reported, WriteStatus } from '../../resources/device-status.ts';
import { valueFromBus, valueToJson } from '../../values/value.ts';
import { inSyncCondition } from '../twin/in-sync.ts';
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
  readonly now: number;
  /** What other parts of the worker have to say: sections of the status. */
  readonly sections?: Readonly<Record<string, unknown>>;
}

export function deviceStatus(facts: StatusFacts): StatusView {
  const { device, condition, points, intervalMs, last, sections = {} } = facts;
  const { state, lastError, lastErrorAt, lastSeenAt, connectedAt, counters } = condition;
  const inSync = inSyncCondition({ ...facts, writes: (sections['writes'] ?? {}) as WriteStatuses });
  const { lastTransitionTime: _since, ...sync } = inSync ?? {};
  return {
    intervalMs,
    facts: {
      observedGeneration: device.metadata.generation ?? 0,
      state,
      lastError,
      ...sections,
      conditions: inSync === undefined ? null : [sync],
    },
    times: {
      conditions: inSync === undefined ? null : [inSync],
      lastErrorTime: timeText(lastErrorAt),
      lastSeen: timeText(lastSeenAt),
      connectedSince: timeText(connectedAt),
      counters,
    },
    reported: new Map(points.slice(0, MAX_REPORTED).flatMap((point) => reportedOf(point, last))),
  };
}

type WriteStatuses = Readonly<Record<string, WriteStatus | null>>;

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
