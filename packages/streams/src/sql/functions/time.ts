/** Functions on dates and times. They speak the time zone of the rule. */
import { BIGINT, DATETIME, STRING } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import { DAYS, MONTHS, timeFormat } from '../time/format-time.ts';
import { parseDuration } from '../time/parse-time.ts';
import { UTC, wallClock, withZone, type Zone, zoneFor, zoneOf } from '../time/zone.ts';
import type { EvalContext, Value } from '../value.ts';
import { describe } from '../values.ts';
import { datetime, integer, optional, string } from './parameters.ts';
import { ArgumentProblem, prepared, type ScalarFunction, scalar, synonym } from './specification.ts';

const DAY_MS = 86_400_000;
const FRACTION = [optional(integer('digits'))] as const;
const CONVERT = [datetime('time'), string('zone')] as const;
const FORMAT = [datetime('time'), string('format')] as const;

const dateText = timeFormat('yyyy-MM-dd');
const timeText = timeFormat('HH:mm:ss');
const momentText = timeFormat('yyyy-MM-dd HH:mm:ss');

/** A field of the wall clock. */
function part(name: string, summary: string, read: (wall: Date) => Value, returns = BIGINT): ScalarFunction {
  return scalar('time', name, [datetime('time')], returns, summary, (date, { zone }) => read(wallClock(date, zone)));
}

const NOW = scalar(
  'time',
  'now',
  FRACTION,
  STRING,
  'The present moment as `YYYY-MM-DD HH:mm:ss`, with so many digits of fraction.',
  (digits, context) => present(momentText, digits, context),
);

const CUR_DATE = scalar('time', 'cur_date', [], STRING, 'The date of today as `YYYY-MM-DD`.', (context) =>
  dateText(new Date(context.now()), context.zone),
);

const CUR_TIME = scalar(
  'time',
  'cur_time',
  FRACTION,
  STRING,
  'The present time of day as `HH:mm:ss`, with so many digits of fraction.',
  (digits, context) => present(timeText, digits, context),
);

const DAY_OF_MONTH = part('day_of_month', 'The day of the month.', (wall) => wall.getUTCDate());

export const TIMES: readonly ScalarFunction[] = [
  NOW,
  synonym(NOW, 'current_timestamp'),
  synonym(NOW, 'local_time'),
  synonym(NOW, 'local_timestamp'),
  CUR_DATE,
  synonym(CUR_DATE, 'current_date'),
  CUR_TIME,
  synonym(CUR_TIME, 'current_time'),
  scalar(
    'time',
    'convert_tz',
    CONVERT,
    DATETIME,
    'The same instant, which functions of dates then write and read by the clock of that zone.',
    (date, name) => zoned(date, knownZone(name)),
    { prepare: prepareConvert },
  ),
  scalar(
    'time',
    'date_calc',
    [datetime('time'), string('duration')],
    STRING,
    'The time moved by a duration such as `1h30m` or `-10s`, as `YYYY-MM-DD HH:mm:ss`.',
    (date, text, { zone }) => {
      const duration = parseDuration(text);
      if (duration === undefined) throw new RowError(`date_calc: ${describe(text)} is no duration`);
      return momentText(new Date(date.getTime() + duration), zoneFor(date, zone));
    },
  ),
  scalar(
    'time',
    'date_diff',
    [datetime('from'), datetime('to')],
    BIGINT,
    'How many whole days lie between the two.',
    (from, to) => Math.trunc((to.getTime() - from.getTime()) / DAY_MS) + 0,
  ),
  part('day_name', 'The name of the day of the week, in English.', (wall) => DAYS[wall.getUTCDay()], STRING),
  DAY_OF_MONTH,
  synonym(DAY_OF_MONTH, 'day'),
  part('day_of_week', 'The day of the week: Sunday is 1, Saturday 7.', (wall) => wall.getUTCDay() + 1),
  part('day_of_year', 'The day of the year, from 1.', (wall) => {
    const newYear = Date.UTC(wall.getUTCFullYear(), 0, 1);
    return Math.floor((wall.getTime() - newYear) / DAY_MS) + 1;
  }),
  scalar(
    'time',
    'format_time',
    FORMAT,
    STRING,
    'The time written by a pattern such as `YYYY-MM-dd HH:mm:ss`.',
    (date, pattern, { zone }) => formatOf(pattern)(date, zone),
    { prepare: prepareFormat },
  ),
  scalar(
    'time',
    'from_days',
    [integer('days')],
    STRING,
    'The date that is so many days on, where 1970-01-01 is day 1.',
    (days) => dateText(dateOf((days - 1) * DAY_MS), UTC),
  ),
  scalar(
    'time',
    'from_unix_time',
    [integer('seconds')],
    STRING,
    'The moment so many seconds after 1970 began in UTC, as `YYYY-MM-DD HH:mm:ss`.',
    (seconds, { zone }) => momentText(dateOf(seconds * 1000), zone),
  ),
  part('hour', 'The hour, from 0 to 23.', (wall) => wall.getUTCHours()),
  part(
    'last_day',
    'The last day of the month, as `YYYY-MM-DD`.',
    (wall) => dateText(new Date(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 0)), UTC),
    STRING,
  ),
  part('microsecond', 'The microseconds since the last full second.', (wall) => wall.getUTCMilliseconds() * 1000),
  part('minute', 'The minute, from 0 to 59.', (wall) => wall.getUTCMinutes()),
  part('month', 'The month, from 1 to 12.', (wall) => wall.getUTCMonth() + 1),
  part('month_name', 'The name of the month, in English.', (wall) => MONTHS[wall.getUTCMonth()], STRING),
  part('second', 'The second, from 0 to 59.', (wall) => wall.getUTCSeconds()),
  scalar('time', 'to_seconds', [datetime('time')], BIGINT, 'The seconds since 1970 began in UTC.', (date) =>
    Math.floor(date.getTime() / 1000),
  ),
  part('year', 'The year.', (wall) => wall.getUTCFullYear()),
];

const MAX_FRACTION = 6;

function present(format: (date: Date, zone: Zone) => string, digits: number | undefined, context: EvalContext): string {
  const now = context.now();
  const text = format(new Date(now), context.zone);
  if (digits === undefined || digits === 0) return text;
  if (digits < 0 || digits > MAX_FRACTION) throw new RowError(`a fraction has 0 to ${MAX_FRACTION} digits`);
  const fraction = `${String(Math.floor(now) % 1000).padStart(3, '0')}000`;
  return `${text}.${fraction.slice(0, digits)}`;
}

function zoned(date: Date, zone: Zone): Date {
  return withZone(new Date(date.getTime()), zone);
}

function knownZone(name: string): Zone {
  try {
    return zoneOf(name);
  } catch (cause) {
    throw new RowError(`convert_tz: ${describe(name)} is no time zone`, { cause });
  }
}

function prepareConvert([, name]: readonly Value[]): ReturnType<NonNullable<ScalarFunction['prepare']>> {
  if (typeof name !== 'string') return undefined;
  try {
    const zone = zoneOf(name);
    return prepared(CONVERT, (date) => zoned(date, zone));
  } catch {
    throw new ArgumentProblem(1, `${describe(name)} is no time zone`, 'write one such as "Europe/Berlin"');
  }
}

function dateOf(milliseconds: number): Date {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) throw new RowError(`${milliseconds} milliseconds are beyond all dates`);
  return date;
}

function formatOf(pattern: string): (date: Date, zone: Zone) => string {
  try {
    return timeFormat(pattern);
  } catch (cause) {
    const letter = cause instanceof RangeError ? cause.message : '';
    throw new RowError(`format_time: the letter ${letter} means nothing`, { cause });
  }
}

function prepareFormat([, pattern]: readonly Value[]): ReturnType<NonNullable<ScalarFunction['prepare']>> {
  if (typeof pattern !== 'string') return undefined;
  try {
    const write = timeFormat(pattern);
    return prepared(FORMAT, (date, _, { zone }) => write(date, zone));
  } catch (cause) {
    const letter = cause instanceof RangeError ? cause.message : '';
    throw new ArgumentProblem(
      1,
      `the letter ${letter} means nothing in a pattern`,
      `write '${letter}' in single quotes to have it as it is`,
    );
  }
}
