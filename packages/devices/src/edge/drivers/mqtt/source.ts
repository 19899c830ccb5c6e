/** Where the values of one point come from, and who hears of them. */
import type { RawValue } from '../../../values/encoding.ts';
import type { Point } from '../../driver.ts';
import { type DriverError, driverErrorOf } from '../../driver-error.ts';
import { fieldAt, timeOf } from '../../field-path.ts';
import type { ReadAddress } from './addresses.ts';
import { type Format, parsePayload, valueAt } from './payload.ts';

export interface Reading {
  readonly value: RawValue | DriverError;
  readonly time: number | undefined;
}

export type Listener = (reading: Reading) => void;

export class Source {
  readonly point: Point;
  readonly listeners = new Set<Listener>();
  #last: Reading | undefined;

  constructor(point: Point) {
    this.point = point;
  }

  /** What was last heard. */
  get last(): Reading | undefined {
    return this.#last;
  }

  tell(reading: Reading): void {
    this.#last = reading;
    for (const listener of this.listeners) listener(reading);
  }
}

/** One that takes its value out of a topic's payloads. */
export interface TopicSource {
  readonly source: Source;
  readonly address: ReadAddress;
}

/** Each payload is parsed once a format, however many points are in it. */
export function tellAll(sources: readonly TopicSource[], payload: Uint8Array): void {
  const parsed = new Map<Format, unknown>();
  for (const { source, address } of sources) source.tell(readingOf(address, payload, parsed));
}

function readingOf(
  { format, path, timePath }: ReadAddress,
  payload: Uint8Array,
  parsed: Map<Format, unknown>,
): Reading {
  try {
    if (!parsed.has(format)) parsed.set(format, parsePayload(payload, format));
    const whole = parsed.get(format);
    return { value: valueAt(whole, path), time: timePath === undefined ? undefined : timeOf(fieldAt(whole, timePath)) };
  } catch (error) {
    return { value: driverErrorOf(error), time: undefined };
  }
}
