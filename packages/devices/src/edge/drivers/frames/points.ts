/** Which points one answer has, and which the device sends by itself. Pure. */
import type { Frames, Message } from '../../../frames/description.ts';
import type { Values } from '../../../frames/layout.ts';
import type { Point } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';

export interface AskedPoints {
  readonly request: string;
  readonly with: Values;
  readonly points: readonly { readonly index: number; readonly field: string }[];
}

export interface SentPoint {
  readonly index: number;
  readonly message: Message;
  readonly field: string;
}

export interface SortedPoints {
  readonly asked: readonly AskedPoints[];
  readonly sent: readonly SentPoint[];
  readonly bad: readonly (readonly [number, DriverError])[];
}

export function sortPoints(points: readonly Point[], { requests, messages }: Frames): SortedPoints {
  const asked = new Map<string, { request: string; with: Values; points: { index: number; field: string }[] }>();
  const sent: SentPoint[] = [];
  const bad: (readonly [number, DriverError])[] = [];
  for (const [index, { address }] of points.entries()) {
    const [field, request] = [String(address['field']), address['request']];
    const given = (address['with'] ?? {}) as Values;
    const message = messages.get(String(address['message']));
    if (request !== undefined && requests.has(String(request))) {
      // The same request with the same fields is asked once.
      const key = JSON.stringify([request, given]);
      const one = asked.get(key) ?? { request: String(request), with: given, points: [] };
      one.points.push({ index, field });
      asked.set(key, one);
    } else if (request === undefined && message !== undefined) sent.push({ index, message, field });
    else
      bad.push([
        index,
        new DriverError('Misconfigured', 'its address names neither a request nor a message that there is'),
      ]);
  }
  return { asked: [...asked.values()], sent, bad };
}
