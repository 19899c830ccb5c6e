/** What a wall clock of a time zone shows. */

export interface Zone {
  readonly name: string;
  /** Milliseconds to add to UTC, at that instant. */
  offset(milliseconds: number): number;
}

export const UTC: Zone = { name: 'UTC', offset: () => 0 };

/** Throws RangeError for a name that the platform does not know. */
export function zoneOf(name: string): Zone {
  if (name === 'UTC') return UTC;
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  let knownQuarter = Number.NaN;
  let known = 0;
  return {
    name,
    // Offsets change at whole quarters of an hour: one answer serves all rows of a quarter.
    offset: (milliseconds) => {
      const quarter = Math.floor(milliseconds / QUARTER_MS);
      if (quarter !== knownQuarter) {
        known = offsetIn(format, milliseconds);
        knownQuarter = quarter;
      }
      return known;
    },
  };
}

const QUARTER_MS = 900_000;
const OFFSET = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?/;

function offsetIn(format: Intl.DateTimeFormat, milliseconds: number): number {
  const part = format.formatToParts(milliseconds).find(({ type }) => type === 'timeZoneName');
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = OFFSET.exec(part?.value ?? '') ?? [];
  const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -size : size;
}

/** It stands at this key of an instant that goes by the clock of a zone of its own, wherever it is written. */
const ZONE: unique symbol = Symbol('zone');

export function withZone(date: Date, zone: Zone): Date {
  return Object.defineProperty(date, ZONE, { value: zone });
}

export function ownZone(date: Date): Zone | undefined {
  return (date as Date & { readonly [ZONE]?: Zone })[ZONE];
}

/** By whose clock the instant is written where `zone` is the one of the rule. */
export function zoneFor(date: Date, zone: Zone): Zone {
  return ownZone(date) ?? zone;
}

/** A Date whose UTC fields are what the wall clock of its zone, or else of the given one, shows. */
export function wallClock(date: Date, zone: Zone): Date {
  const own = zoneFor(date, zone);
  return own === UTC ? new Date(date.getTime()) : new Date(date.getTime() + own.offset(date.getTime()));
}

/**
 * The instant at which the zone's wall clock shows this, given as if it were UTC. Of a time that clocks pass over when they are set on,
 * the instant that is as long after they were.
 */
export function instantOf(wall: number, zone: Zone): number {
  const guess = wall - zone.offset(wall);
  const offset = zone.offset(guess);
  const instant = wall - offset;
  return zone.offset(instant) === offset ? instant : Math.max(instant, guess);
}
