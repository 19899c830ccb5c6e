/** The schedules of CronJobs: five fields, the names for usual ones, and `@every`. Pure; time zones come from the platform. */

export type CronSchedule =
  | { readonly kind: 'every'; readonly periodMs: number }
  | {
      readonly kind: 'fields';
      readonly minutes: readonly number[];
      readonly hours: readonly number[];
      readonly days: ReadonlySet<number>;
      readonly months: ReadonlySet<number>;
      readonly weekdays: ReadonlySet<number>;
      /** With both days and weekdays restricted, either is enough. */
      readonly eitherDay: boolean;
    };

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A schedule that meets no day for so long never does. */
const HORIZON_DAYS = 5 * 366;
const MAX_LENGTH = 256;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const NAMED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Undefined for what is no schedule. */
export function parseCron(text: string): CronSchedule | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const every = /^@every\s+(\S+)$/.exec(text.trim())?.[1];
  if (every !== undefined) return parseEvery(every);
  const fields = (NAMED[text.trim()] ?? text.trim()).split(/\s+/);
  if (fields.length !== 5) return undefined;
  const [minutes, hours, days, months, weekdays] = [
    parseField(fields[0], { least: 0, most: 59 }),
    parseField(fields[1], { least: 0, most: 23 }),
    parseField(fields[2], { least: 1, most: 31 }),
    parseField(fields[3], { least: 1, most: 12, names: MONTHS }),
    parseField(fields[4], { least: 0, most: 6, names: WEEKDAYS }),
  ];
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  return {
    kind: 'fields',
    minutes: minutes.values,
    hours: hours.values,
    days: new Set(days.values),
    months: new Set(months.values),
    weekdays: new Set(weekdays.values),
    eitherDay: !days.isAny && !weekdays.isAny,
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000 };

function parseEvery(text: string): CronSchedule | undefined {
  if (!/^(\d{1,9}[hms])+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+)([hms])/g);
  const periodMs = parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNIT_MS[unit] ?? 0), 0);
  return periodMs > 0 ? { kind: 'every', periodMs } : undefined;
}

interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

interface Field {
  readonly values: readonly number[];
  readonly isAny: boolean;
}

function parseField(text: string | undefined, bounds: Bounds): Field | undefined {
  const values = new Set<number>();
  let isAny = false;
  for (const part of (text ?? '').split(',')) {
    const range = parseRange(part, bounds);
    if (range === undefined) return undefined;
    const { first, last, step } = range;
    for (let value = first; value <= last; value += step) values.add(value);
    isAny ||= range.isAny;
  }
  return { values: [...values].sort((left, right) => left - right), isAny };
}

interface Range {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly isAny: boolean;
}

function parseRange(text: string, bounds: Bounds): Range | undefined {
  const [, low = '', high, stepText] = /^([*?]|\w+)(?:-(\w+))?(?:\/(\d{1,4}))?$/.exec(text) ?? [];
  const step = stepText === undefined ? 1 : Number(stepText);
  const { least, most } = bounds;
  if (low === '' || step === 0) return undefined;
  if (low === '*' || low === '?') {
    return high === undefined ? { first: least, last: most, step, isAny: step === 1 } : undefined;
  }
  const first = parseValue(low, bounds);
  const single = stepText === undefined ? first : most;
  const last = high === undefined ? single : parseValue(high, bounds);
  if (first === undefined || last === undefined || last < first) return undefined;
  return { first, last, step, isAny: false };
}

function parseValue(text: string, { least, most, names = [] }: Bounds): number | undefined {
  const named = names.indexOf(text.toLowerCase());
  const value = named >= 0 ? named + least : Number(/^\d{1,2}$/.test(text) ? text : Number.NaN);
  return value >= least && value <= most ? value : undefined;
}

/** Whether the platform knows the zone by this name. */
export function isTimeZone(zone: string): boolean {
  try {
    wallFormat(zone);
    return zone !== '' && zone.toLowerCase() !== 'local';
  } catch {
    return false;
  }
}

/** The first time after `after`, in milliseconds; undefined when there is none in the next five years. */
export function nextCronTime(schedule: CronSchedule, after: number, zone = 'UTC'): number | undefined {
  if (schedule.kind === 'every') return Math.floor(after / 1000) * 1000 + schedule.periodMs;
  const today = Math.floor((after + offsetAt(after, zone)) / DAY_MS) * DAY_MS;
  // From yesterday on: where clocks are put back over midnight, its last hour comes twice.
  for (let count = -1; count < HORIZON_DAYS; count++) {
    const day = today + count * DAY_MS;
    if (!isOnDay(schedule, new Date(day))) continue;
    const found = firstOnDay(schedule, day, after, zone);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The last time at or before `now` that comes after `since`; undefined when there is none. */
export function lastCronTime(
  schedule: CronSchedule,
  { since, now, zone }: { readonly since: number; readonly now: number; readonly zone?: string | undefined },
): number | undefined {
  if (schedule.kind === 'every') {
    const periods = Math.floor((now - Math.floor(since / 1000) * 1000) / schedule.periodMs);
    return periods > 0 ? Math.floor(since / 1000) * 1000 + periods * schedule.periodMs : undefined;
  }
  // The window grows until it holds one, so that a long pause costs no more than a short one.
  for (let window = MINUTE_MS; ; window *= 2) {
    const from = Math.max(since, now - window);
    let last: number | undefined;
    for (let time = nextCronTime(schedule, from, zone); time !== undefined && time <= now; ) {
      last = time;
      time = nextCronTime(schedule, time, zone);
    }
    if (last !== undefined || from === since) return last;
  }
}

type Fields = Extract<CronSchedule, { kind: 'fields' }>;

function isOnDay({ months, days, weekdays, eitherDay }: Fields, day: Date): boolean {
  if (!months.has(day.getUTCMonth() + 1)) return false;
  const isDay = days.has(day.getUTCDate());
  const isWeekday = weekdays.has(day.getUTCDay());
  return eitherDay ? isDay || isWeekday : isDay && isWeekday;
}

function firstOnDay({ hours, minutes }: Fields, day: number, after: number, zone: string): number | undefined {
  let earliest: number | undefined;
  const offsets = offsetsAround(day, zone);
  for (const hour of hours) {
    for (const minute of minutes) {
      for (const time of instantsOf(day + (hour * 60 + minute) * MINUTE_MS, offsets, zone)) {
        if (time > after && time < (earliest ?? Number.POSITIVE_INFINITY)) earliest = time;
      }
    }
    if (earliest !== undefined) return earliest;
  }
  return earliest;
}

/** What the zone is ahead of UTC on a day of its wall clock: two values where clocks are moved. */
function offsetsAround(day: number, zone: string): readonly number[] {
  return [...new Set([offsetAt(day - DAY_MS, zone), offsetAt(day + 2 * DAY_MS, zone)])];
}

/** When a wall clock of the zone shows this: never where clocks are put forward, twice where they are put back. */
function instantsOf(wall: number, offsets: readonly number[], zone: string): readonly number[] {
  const times = offsets.map((offset) => wall - offset);
  return times.length === 1 ? times : times.filter((time) => time + offsetAt(time, zone) === wall);
}

function offsetAt(time: number, zone: string): number {
  if (zone === 'UTC') return 0;
  const parts = Object.fromEntries(
    wallFormat(zone)
      .formatToParts(time)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(time / 1000) * 1000;
}

const formats = new Map<string, Intl.DateTimeFormat>();
const MAX_FORMATS = 64;

/** Making a format costs far more than using it. */
function wallFormat(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const fields = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', second: 'numeric', ...fields });
  if (formats.size >= MAX_FORMATS) formats.clear();
  formats.set(zone, format);
  return format;
}
