/** Durations as Go writes them: `90s`, `1h30m`, `1.5h`, `-2ms`. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

// Escaped, since one letter beyond ASCII doubles the memory that the bundle's text takes: esbuild escapes strings, not patterns.
const SHAPE = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g;
/** Longer than any duration that a person writes. */
const MAX_LENGTH = 64;

/** Milliseconds, or undefined when the text is no duration. Zero needs no unit. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text.length > MAX_LENGTH || !SHAPE.test(text)) return undefined;
  let milliseconds = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(PART)) milliseconds += Number(amount) * (UNIT_MS[unit] ?? 0);
  return text.startsWith('-') ? -milliseconds : milliseconds;
}

/** The canonical text: `1h30m0s`, `1.5s`, `300ms`, `0s`. */
export function formatDuration(milliseconds: number): string {
  const sign = milliseconds < 0 ? '-' : '';
  const size = Math.abs(milliseconds);
  if (size === 0) return '0s';
  if (size < 1000) return `${sign}${trimmed(size)}ms`;
  const hours = Math.trunc(size / 3_600_000);
  const minutes = Math.trunc((size % 3_600_000) / 60_000);
  const seconds = trimmed((size % 60_000) / 1000);
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  return `${sign}${minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}

function trimmed(value: number): string {
  return String(Number(value.toFixed(9)));
}
