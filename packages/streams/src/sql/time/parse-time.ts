/** Text to instants: RFC 3339, and the forms that people write. */
import { instantOf, type Zone } from './zone.ts';

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$/i;

/** Undefined when it is no time. Without an offset it is a time of the zone. */
export function parseTime(text: string, zone: Zone): Date | undefined {
  const match = FORM.exec(text.trim());
  if (match === null) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = ''] = match;
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const isValid = mo >= 1 && mo <= 12 && d >= 1 && d <= daysOf(y, mo) && h <= 24 && mi <= 59 && s <= 60;
  if (!isValid) return undefined;
  const wall = new Date(0);
  wall.setUTCFullYear(y, mo - 1, d);
  wall.setUTCHours(h, mi, s, Math.trunc(Number(`0.${fraction || '0'}`) * 1000));
  const offset = offsetOf(match[8]);
  return new Date(offset === undefined ? instantOf(wall.getTime(), zone) : wall.getTime() - offset);
}

function daysOf(year: number, month: number): number {
  return new Date(Date.UTC(year < 100 ? year + 400 : year, month, 0)).getUTCDate();
}

function offsetOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text.toUpperCase() === 'Z') return 0;
  const size = (Number(text.slice(1, 3)) * 60 + Number(text.slice(-2))) * 60_000;
  return text.startsWith('-') ? -size : size;
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^(-?)((?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)/g;

/** Milliseconds of `1h30m`, `-10s`, `100ms200us`; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text.trim());
  if (match === null) return undefined;
  let total = 0;
  for (const [, amount, unit] of (match[2] ?? '').matchAll(PART)) total += Number(amount) * (UNITS[unit ?? ''] ?? 0);
  return match[1] === '-' ? -total : total;
}
