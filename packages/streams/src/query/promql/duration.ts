/** Durations and numbers as PromQL writes them. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const DURATION = /^(?:\d+(?:ms|[smhdwy]))+$/;

/** Milliseconds of `1h30m`, or of a number of seconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (DURATION.test(text)) {
    return [...text.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce(
      (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0),
      0,
    );
  }
  const seconds = parseNumber(text);
  return seconds === undefined || !Number.isFinite(seconds) ? undefined : seconds * 1000;
}

/** A number; a duration counts as its seconds. */
export function parseNumber(text: string): number | undefined {
  const plain = text.replaceAll('_', '').toLowerCase();
  const special = SPECIAL[plain.replace(/^[+-]/, '')];
  if (special !== undefined) return plain.startsWith('-') ? -special : special;
  if (DURATION.test(text)) return (parseDuration(text) ?? 0) / 1000;
  if (/^0x[0-9a-f]+$/.test(plain)) return Number.parseInt(plain, 16);
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/.test(plain) ? Number(plain) : undefined;
}

const SPECIAL: Readonly<Record<string, number>> = {
  inf: Number.POSITIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  nan: Number.NaN,
};
