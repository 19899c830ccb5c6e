/** `POST /history` on the worker's socket: a JSON object each way. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@skerry/base';
import { type DeviceHistoryRequest, type HistoryAnswer, MAX_HISTORY_VALUES } from '../../telemetry/history-request.ts';
import { DriverError } from '../driver-error.ts';
import { answerJson } from '../twin/door-server.ts';
import type { LiveDevices } from './live-device.ts';

interface HistoryPlane {
  readonly devices: Pick<LiveDevices, 'get'>;
  readonly clock: Clock;
}

/** A device that answers no faster is given up. */
const HISTORY_MS = 60_000;

export function answerHistory(plane: HistoryPlane, request: IncomingMessage, response: ServerResponse): Promise<void> {
  return answerJson(request, response, (asked, signal) =>
    isHistoryRequest(asked) ? historyOf(plane, asked, signal) : undefined,
  );
}

async function historyOf(
  { devices, clock }: HistoryPlane,
  { namespace, device: name, property, ...range }: DeviceHistoryRequest,
  signal: AbortSignal,
): Promise<HistoryAnswer> {
  const device = devices.get(namespace, name);
  if (device === undefined) throw new DriverError('NotFound', 'the device is not driven here');
  const limit = new AbortController();
  const timer = clock.after(HISTORY_MS, () => limit.abort());
  try {
    return { values: await device.history(property, range, AbortSignal.any([signal, limit.signal])) };
  } catch (cause) {
    if (!limit.signal.aborted) throw cause;
    throw new DriverError('TimedOut', `the device did not answer within ${HISTORY_MS} ms`, { cause });
  } finally {
    timer.cancel();
  }
}

function isHistoryRequest(asked: object): asked is DeviceHistoryRequest {
  const { namespace, device, property, from, to, limit } = asked as Partial<DeviceHistoryRequest>;
  return (
    [namespace, device, property].every((each) => typeof each === 'string') &&
    Number.isFinite(from) &&
    Number.isFinite(to) &&
    Number.isInteger(limit) &&
    Number(limit) >= 1 &&
    Number(limit) <= MAX_HISTORY_VALUES
  );
}
