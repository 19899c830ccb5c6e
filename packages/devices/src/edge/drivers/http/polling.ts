/** Properties that a device is asked for: those of the same answer by one request. */
import type { Point, ReadGroup, SampleSink } from '../../driver.ts';
import { DriverError, driverErrorOf, isDriverError } from '../../driver-error.ts';
import { Body, type Extract, extraction } from './extraction.ts';
import type { Asked } from './request.ts';

/** A request, answered with a text. Rejects with a DriverError. */
export type Ask = (asked: Asked, signal: AbortSignal) => Promise<string>;

export interface IndexedPoint {
  readonly index: number;
  readonly point: Point;
}

interface Wanted {
  readonly index: number;
  readonly extract: Extract;
}

interface Request {
  readonly asked: Asked;
  readonly wanted: Wanted[];
  isJson: boolean;
}

export function polling(points: readonly IndexedPoint[], ask: Ask): ReadGroup {
  const requests = new Map<string, Request>();
  for (const { index, point } of points) {
    const { method = 'GET', path, body } = point.address as unknown as Partial<Asked>;
    const asked: Asked = { method, path: String(path), body };
    const key = JSON.stringify(asked);
    const request = requests.get(key) ?? { asked, wanted: [], isJson: false };
    request.wanted.push({ index, extract: extraction(point) });
    request.isJson ||= point.address['match'] === undefined;
    requests.set(key, request);
  }
  return { read: (sink, signal) => readAll([...requests.values()], ask, sink, signal) };
}

/** A device that is silent is asked no more in this turn. */
async function readAll(requests: readonly Request[], ask: Ask, sink: SampleSink, signal: AbortSignal): Promise<void> {
  let silent: DriverError | undefined;
  let hasAnswer = false;
  for (const request of requests) {
    const answer = silent ?? (await read(request, ask, signal));
    if (isDriverError(answer, 'TimedOut', 'Unreachable', 'Closed', 'Malformed')) {
      if (!hasAnswer) throw answer;
      silent = answer;
    } else hasAnswer = true;
    for (const each of request.wanted) tell(each, answer, sink);
  }
}

async function read({ asked, isJson }: Request, ask: Ask, signal: AbortSignal): Promise<Body | DriverError> {
  try {
    const body = new Body(await ask(asked, signal), 'the answer');
    // No value comes out of what should be JSON and is none.
    if (isJson) void body.json;
    return body;
  } catch (error) {
    return driverErrorOf(error);
  }
}

function tell({ index, extract }: Wanted, answer: Body | DriverError, sink: SampleSink): void {
  try {
    if (answer instanceof DriverError) throw answer;
    const { value, time } = extract(answer);
    sink.value(index, value, time);
  } catch (error) {
    sink.fail(index, driverErrorOf(error));
  }
}
