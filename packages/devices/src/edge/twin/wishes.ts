/** Desired values of a Device as wishes with versions. Pure. */
import { createHash } from 'node:crypto';
import type { Desired, Device } from '../../resources/device.ts';
import type { Wish } from './property-twin.ts';

export function wishesOf({ spec }: Device): ReadonlyMap<string, Wish> {
  return new Map(Object.entries(spec.desired ?? {}).map(([property, desired]) => [property, wishOf(desired)]));
}

function wishOf({ value, at, by = 'the API', notAfter, force = false }: Desired): Wish {
  return {
    version: versionOf(force ? { force, value } : value, at),
    value,
    at: millisecondsOf(at) ?? 0,
    by,
    ...(force ? { isForced: true } : {}),
    ...(notAfter === undefined ? {} : { notAfter: millisecondsOf(notAfter) ?? 0 }),
  };
}

/** Who sets the same value again at another time wants it written again; who only applies the same manifest does not. */
export function versionOf(value: unknown, at: string | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify([value, at ?? null]))
    .digest('hex')
    .slice(0, 16);
}

function millisecondsOf(time: string | undefined): number | undefined {
  const milliseconds = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
