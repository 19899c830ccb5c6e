/** Whether a device has what it is to have, as a condition of its status. Pure. */
import { isBad, type LastValues } from '@skerry/streams/contract';
import type { Device } from '../../resources/device.ts';
import type { Condition, WriteResult, WriteStatus } from '../../resources/device-status.ts';
import { type Value, ValueError, valueFromBus, valueFromJson, valueToJson } from '../../values/value.ts';
import { thresholdOf } from '../cleaning/cleaner.ts';
import type { PlannedPoint } from '../worker/device-plan.ts';
import { isAsWanted, isReadable } from './confirm.ts';

export interface SyncFacts {
  readonly device: Device;
  readonly points: readonly PlannedPoint[];
  readonly last: LastValues;
  /** Of the twin. */
  readonly writes: Readonly<Record<string, WriteStatus | null>>;
  readonly now: number;
}

/** So many differences are told in words; all of them are in what is desired and reported. */
const MAX_TOLD = 5;

/** By what became of the wish; where it was confirmed, the device has changed since. */
const REASONS: Readonly<Record<WriteResult, string>> = {
  Pending: 'Pending',
  Confirmed: 'Drifted',
  Rejected: 'Rejected',
  TimedOut: 'NotConfirmed',
  Superseded: 'LocalWrite',
  Expired: 'Expired',
};

/** Undefined where nothing is desired. */
export function inSyncCondition({ device, points, last, writes, now }: SyncFacts): Condition | undefined {
  const desired = Object.entries(device.spec.desired ?? {});
  if (desired.length === 0) return undefined;
  const visited = new Map(points.map((point) => [point.property.name, point]));
  const findings = desired.map(([property, { value }]) => {
    const { result = 'Pending', reason } = writes[property] ?? {};
    return { property, value, result, reason, ...compare(visited.get(property), { value, result, last }) };
  });
  const different = findings.filter(({ is }) => is === 'Different');
  const unknown = findings.filter(({ is }) => is === 'Unknown');
  const status = different.length > 0 ? 'False' : unknown.length > 0 ? 'Unknown' : 'True';
  const told = different.length > 0 ? different : unknown;
  const words = told.slice(0, MAX_TOLD).map(inWords);
  const more = told.length > MAX_TOLD ? [`and ${told.length - MAX_TOLD} more`] : [];
  const before = device.status?.conditions?.find(({ type }) => type === 'InSync');
  return {
    type: 'InSync',
    status,
    reason:
      different[0] === undefined ? (status === 'True' ? 'AsDesired' : 'NotReported') : REASONS[different[0].result],
    message: [...words, ...more].join('; '),
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : new Date(now).toISOString(),
    ...(device.metadata.generation === undefined ? {} : { observedGeneration: device.metadata.generation }),
  };
}

interface Finding {
  readonly is: 'Same' | 'Different' | 'Unknown';
  /** As JSON. */
  readonly reported?: unknown;
}

function compare(
  point: PlannedPoint | undefined,
  { value, result, last }: { readonly value: unknown; readonly result: WriteResult; readonly last: LastValues },
): Finding {
  if (point === undefined) return { is: 'Different' };
  // What cannot be read is as its last write says.
  if (!isReadable(point)) return { is: result === 'Confirmed' ? 'Same' : 'Different' };
  const sample = last.get(point.series);
  if (sample === undefined || isBad(sample.quality)) return { is: 'Unknown' };
  const { valueType } = point.property;
  const seen = valueFromBus(valueType, sample.value);
  const wanted = wantedValue(point, value);
  const isSame = wanted !== undefined && (isAsWanted(point, seen, wanted) || isWithinDeadband(point, seen, wanted));
  return { is: isSame ? 'Same' : 'Different', reported: valueToJson(valueType, seen) };
}

function wantedValue({ property }: PlannedPoint, json: unknown): Value | undefined {
  try {
    return valueFromJson(property.valueType, json);
  } catch (error) {
    if (error instanceof ValueError) return undefined;
    throw error;
  }
}

/** What is reported may be off by as much as is no news. */
function isWithinDeadband({ property, visitor }: PlannedPoint, seen: Value, wanted: Value): boolean {
  const threshold = thresholdOf(visitor.cleaning?.deadband ?? property.deadband, property);
  if (threshold === undefined || typeof seen !== 'number' || typeof wanted !== 'number') return false;
  return Math.abs(seen - wanted) < threshold(seen);
}

function inWords(
  finding: Finding & { property: string; value: unknown; result: WriteResult; reason?: string | undefined },
) {
  const { property, value, result, reason, reported } = finding;
  const has = reported === undefined ? 'the device has not said what it has' : `the device has ${shown(reported)}`;
  return `${property}: ${shown(value)} is desired, ${has}, ${result}${reason === undefined ? '' : ` (${reason})`}`;
}

const SHOWN_CHARACTERS = 100;

function shown(json: unknown): string {
  const text = JSON.stringify(json) ?? '';
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
