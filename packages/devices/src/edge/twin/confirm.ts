/** Writes values to a device and asks the device what it has: only what it says itself is confirmed. */
import { parseDuration } from '@skerry/api/durations';
import type { Clock } from '@skerry/base';
import type { WriteResult } from '../../resources/device-status.ts';
import { isSameValue, type Value } from '../../values/value.ts';
import { DriverError, type DriverErrorKind } from '../driver-error.ts';
import type { PlannedPoint } from '../worker/device-plan.ts';
import type { LiveDevice } from '../worker/live-device.ts';

/** `Unknown`: the connection was lost; whether the device has the value is to be asked when it is back. */
export interface Finding {
  readonly result: Extract<WriteResult, 'Confirmed' | 'Rejected' | 'TimedOut' | 'Superseded'> | 'Unknown';
  readonly reason?: string;
}

export interface WriteContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Asked between attempts to read back: a value that nobody wants any more is not waited for. */
  readonly isWanted: (property: string) => boolean;
}

type Values = ReadonlyMap<string, Value>;

/** A device is given so long to show what was written; slow ones several of their own timeouts. */
const CONFIRM_MS = 5000;
const CONFIRM_TIMEOUTS = 3;
/** Pauses between the questions grow from the first to the second. */
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 500;

const DEFAULT_TIMEOUT_MS = 3000;

/** Sends once. Whoever wants no confirmation has the device's acknowledgement. */
export async function writeOnce(
  device: LiveDevice,
  values: Values,
  { clock, signal }: WriteContext,
): Promise<ReadonlyMap<string, Finding>> {
  const limit = new AbortController();
  const timer = clock.after(writeLimitMs(device), () => limit.abort());
  try {
    const outcomes = await device.write(values, AbortSignal.any([signal, limit.signal]));
    return new Map([...outcomes].map(([property, error]) => [property, findingOf(error)]));
  } finally {
    timer.cancel();
  }
}

/** Of those that were acknowledged or may have arrived, what the device says. The rest stays as it was found. */
export async function confirm(
  device: LiveDevice,
  values: Values,
  sent: ReadonlyMap<string, Finding>,
  context: WriteContext,
): Promise<ReadonlyMap<string, Finding>> {
  const findings = new Map(sent);
  const open = new Set<string>();
  for (const [property, { result }] of sent) {
    if (result === 'Rejected' || result === 'Unknown') continue;
    if (isReadable(device.point(property))) open.add(property);
    else if (result === 'Confirmed') findings.set(property, { result, reason: 'acknowledged; it cannot be read back' });
  }
  for (const [property, finding] of await readUntilSame(device, values, open, context)) findings.set(property, finding);
  return findings;
}

async function readUntilSame(
  device: LiveDevice,
  values: Values,
  open: Set<string>,
  { clock, signal, isWanted }: WriteContext,
): Promise<ReadonlyMap<string, Finding>> {
  const findings = new Map<string, Finding>();
  const settle = (property: string, finding: Finding) => {
    findings.set(property, finding);
    open.delete(property);
  };
  const until = clock.monotonic() + confirmLimitMs(device);
  for (let pause = FIRST_PAUSE_MS; open.size > 0; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
    const seen = await device.readBack([...open], signal);
    const isLate = clock.monotonic() >= until;
    for (const property of open) {
      const finding = compare(device, property, values.get(property), seen.get(property));
      if (finding.result === 'Confirmed' || finding.result === 'Unknown' || isLate) settle(property, finding);
      else if (!isWanted(property)) settle(property, { result: 'Superseded', reason: 'another value is wanted since' });
    }
    if (open.size > 0) await clock.sleep(pause, signal);
  }
  return findings;
}

function findingOf(error: DriverError | undefined): Finding {
  if (error === undefined) return { result: 'Confirmed' };
  const { kind, message: reason } = error;
  if (kind === 'TimedOut') return { result: 'TimedOut', reason };
  return { result: isGone(kind) ? 'Unknown' : 'Rejected', reason };
}

function isGone(kind: DriverErrorKind): boolean {
  return kind === 'Unreachable' || kind === 'Closed';
}

function compare(
  device: LiveDevice,
  property: string,
  wanted: Value | undefined,
  seen: Value | DriverError | undefined,
): Finding {
  if (seen instanceof DriverError) {
    const { kind, message } = seen;
    return isGone(kind)
      ? { result: 'Unknown', reason: message }
      : { result: 'TimedOut', reason: `not read back: ${message}` };
  }
  const point = device.point(property);
  if (seen === undefined || wanted === undefined || point === undefined)
    return { result: 'TimedOut', reason: 'the device did not say what it has' };
  if (isAsWanted(point, seen, wanted)) return { result: 'Confirmed' };
  return { result: 'TimedOut', reason: `the device says ${shown(seen)}` };
}

/** Whether the device has what is wanted, as well as it can say. */
export function isAsWanted(point: PlannedPoint, seen: Value, wanted: Value): boolean {
  return isClose(seen, asStored(point, wanted));
}

/** A scale rounds: what the device can say at best. */
function asStored({ codec }: PlannedPoint, wanted: Value): Value {
  try {
    return codec.decode(codec.encode(wanted, true));
  } catch {
    return wanted;
  }
}

/** Of the larger number; arithmetic on the way to a wire and back costs no more. */
const TOLERANCE = 1e-6;

function isClose(seen: Value, wanted: Value): boolean {
  if (typeof seen !== 'number' || typeof wanted !== 'number') return isSameValue(seen, wanted);
  return Object.is(seen, wanted) || Math.abs(seen - wanted) <= TOLERANCE * Math.max(Math.abs(seen), Math.abs(wanted));
}

export function isReadable(point: PlannedPoint | undefined): boolean {
  return point !== undefined && point.property.access !== 'WriteOnly' && point.visitor.mode !== 'WriteOnly';
}

function shown(value: Value): string {
  const text = typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function timeoutOf({ device: { spec } }: LiveDevice): { readonly timeoutMs: number; readonly tries: number } {
  const { timeout, retries = 1 } = spec.connection ?? {};
  return {
    timeoutMs: (timeout === undefined ? undefined : parseDuration(timeout)) ?? DEFAULT_TIMEOUT_MS,
    tries: retries + 1,
  };
}

function writeLimitMs(device: LiveDevice): number {
  const { timeoutMs, tries } = timeoutOf(device);
  return timeoutMs * tries * 2;
}

function confirmLimitMs(device: LiveDevice): number {
  return Math.max(CONFIRM_MS, timeoutOf(device).timeoutMs * CONFIRM_TIMEOUTS);
}
