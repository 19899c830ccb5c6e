/**
 * InfluxDB's line protocol, read. `MEASUREMENT,TAG=VALUE FIELD=VALUE TIME`; each field is a series of its own.
 * https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
 */
import type { Labels, StoredType } from '../../store/index.ts';

export interface LinePoint {
  readonly labels: Labels;
  readonly type: StoredType;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly value: number | bigint | string;
}

export interface Lines {
  readonly points: readonly LinePoint[];
  /** In words, by the number of the line, from 1. */
  readonly refused: readonly { readonly line: number; readonly reason: string }[];
}

export const PRECISIONS = {
  ns: 1e-6,
  n: 1e-6,
  us: 1e-3,
  u: 1e-3,
  µ: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
} as const;
export type Precision = keyof typeof PRECISIONS;

export const MAX_LINES = 100_000;
const MAX_LINE_CHARACTERS = 65_536;
const MAX_LABELS = 64;
const MAX_REFUSALS = 20;
/** Characters that a backslash takes the meaning of. */
const ESCAPABLE = ',= "\\';
const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/** Lines that cannot be read are told of and keep no others out. `now`: for points without a time. */
export function parseLines(
  text: string,
  { precision, now }: { readonly precision: Precision; readonly now: number },
): Lines {
  const points: LinePoint[] = [];
  const refused: { line: number; reason: string }[] = [];
  splitLines(text).forEach((line, index) => {
    if (line === '' || line.startsWith('#')) return;
    try {
      points.push(...pointsOf(line, precision, now));
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      if (refused.length < MAX_REFUSALS) refused.push({ line: index + 1, reason: error.message });
    }
  });
  return { points, refused };
}

class LineError extends Error {}

/** A line feed within the quotes of a field belongs to the text. */
function splitLines(text: string): string[] {
  const lines: string[] = [];
  let start = 0;
  let areFields = false;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\\' && at + 1 < text.length && text[at + 1] !== '\n') at += 1;
    else if (character === '"' && areFields && (isQuoted || text[at - 1] === '=')) isQuoted = !isQuoted;
    else if (character === ' ' && at > start) areFields = true;
    else if (character === '\n' && !isQuoted) {
      lines.push(text.slice(start, at).replace(/\r$/, '').trimStart());
      start = at + 1;
      areFields = false;
    }
  }
  lines.push(text.slice(start).trim());
  return lines;
}

function pointsOf(line: string, precision: Precision, now: number): LinePoint[] {
  if (line.length > MAX_LINE_CHARACTERS) throw new LineError(`longer than ${MAX_LINE_CHARACTERS} characters`);
  const [head = ''] = splitAt(line, ' ', false);
  const [fields, ...rest] = splitAt(line.slice(head.length), ' ', true).filter((part) => part !== '');
  if (fields === undefined) throw new LineError('a line is MEASUREMENT, fields and time');
  if (rest.length > 1) throw new LineError('something stands behind the time');
  const [measurement = '', ...tags] = splitAt(head, ',', false);
  if (measurement === '') throw new LineError('the measurement is missing');
  if (tags.length > MAX_LABELS) throw new LineError(`more than ${MAX_LABELS} tags`);
  const labels = Object.fromEntries(tags.map((tag) => pairOf(tag, false)));
  const time = timeOf(rest[0], precision, now);
  return splitAt(fields, ',', true).map((field) => {
    const [name, value] = pairOf(field, true);
    const metric = name === 'value' ? plain(measurement) : `${plain(measurement)}_${name}`;
    return { labels: { ...labels, __name__: metric }, time, ...fieldOf(value) };
  });
}

function pairOf(text: string, hasQuotes: boolean): [name: string, value: string] {
  const [name = '', value = '', ...more] = splitAt(text, '=', hasQuotes);
  if (name === '' || value === '' || more.length > 0) throw new LineError(`"${text.slice(0, 60)}" is not NAME=VALUE`);
  return [plain(name), hasQuotes ? value : plain(value)];
}

/** At each `separator` that no backslash, and no quotes around a field's value, keep from being one. */
function splitAt(text: string, separator: string, hasQuotes: boolean): string[] {
  const parts: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\\' && ESCAPABLE.includes(text[at + 1] ?? '|')) at += 1;
    else if (hasQuotes && character === '"' && (isQuoted || text[at - 1] === '=')) isQuoted = !isQuoted;
    else if (character === separator && !isQuoted) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  if (isQuoted) throw new LineError('a text has no closing quote');
  parts.push(text.slice(start));
  return parts;
}

function plain(text: string): string {
  return text.replaceAll(/\\([,= "\\])/g, '$1');
}

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const BOOLEANS: Readonly<Record<string, number>> = { t: 1, true: 1, f: 0, false: 0 };

function fieldOf(text: string): Pick<LinePoint, 'type' | 'value'> {
  if (text.startsWith('"')) {
    if (text.length < 2 || !text.endsWith('"')) throw new LineError(`${text.slice(0, 60)} is no text`);
    return { type: 'string', value: text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') };
  }
  const boolean = /^(t|f|true|false|True|False|T|F|TRUE|FALSE)$/.test(text) ? BOOLEANS[text.toLowerCase()] : undefined;
  if (boolean !== undefined) return { type: 'bool', value: boolean };
  if (/^-?\d+i$/.test(text)) return { type: 'int64', value: integerOf(text, MIN_INT64, MAX_INT64) };
  if (/^\d+u$/.test(text)) return { type: 'uint64', value: integerOf(text, 0n, 2n * MAX_INT64 + 1n) };
  if (NUMBER.test(text)) return { type: 'float64', value: Number(text) };
  throw new LineError(`"${text.slice(0, 60)}" is neither number, text nor boolean`);
}

function integerOf(text: string, least: bigint, most: bigint): number | bigint {
  const value = BigInt(text.slice(0, -1));
  if (value < least || value > most) throw new LineError(`${text.slice(0, 60)} is beyond 64 bits`);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function timeOf(text: string | undefined, precision: Precision, now: number): number {
  if (text === undefined) return now;
  if (!/^-?\d{1,19}$/.test(text)) throw new LineError(`"${text.slice(0, 30)}" is no time`);
  const unit = PRECISIONS[precision];
  // Nanoseconds have more digits than a number: what is less than a microsecond is cut.
  if (unit < 1) return Number(BigInt(text) / BigInt(Math.round(1e-3 / unit))) / 1000;
  return Number(text) * unit;
}
