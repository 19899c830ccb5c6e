/**
 * Zones of instants in what rules keep on disk, where a Date keeps none: they stand beside it. Of an object that is named twice in
 * what is serialised at once, there is one again afterwards.
 */
import { ownZone, withZone, zoneOf } from '../sql/time/zone.ts';

/** The names of zones, by the instants that go by them. */
export type SavedZones = ReadonlyMap<Date, string>;

export function zonesIn(state: unknown): SavedZones {
  const zones = new Map<Date, string>();
  const left: unknown[] = [state];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) continue;
    const zone = value instanceof Date ? ownZone(value) : undefined;
    if (zone !== undefined) zones.set(value as Date, zone.name);
    for (const part of partsOf(value)) left.push(part);
  }
  return zones;
}

function partsOf(value: object): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set || value instanceof Map) return value;
  return Object.values(value);
}

export function giveBack(zones: SavedZones): void {
  for (const [date, name] of zones) withZone(date, zoneOf(name));
}
