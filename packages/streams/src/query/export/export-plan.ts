/** What an outlet's `export` says: when which file is due, what is in it, and which files may go. Pure. */
import { isTimeZone, lastCronTime, nextCronTime, parseCron } from '@skerry/api/validation';
import type { Outlet } from '../../kinds/outlet.ts';
import { matcherOf, periodMs } from '../../road/edge/route-settings.ts';
import type { Selection } from '../promql/select.ts';

/** An export that cannot be done as it is asked for; the message says why. */
export class ExportProblem extends Error {
  override readonly name = 'ExportProblem';
}

export interface ExportPlan {
  /** Whose it is: its files are below a directory of that name. */
  readonly namespace: string;
  /** Within that. */
  readonly directory: string;
  readonly selections: readonly Selection[];
  readonly rangeMs: number;
  /** A file is made so long after its moment: what was on the road then has come. */
  readonly delayMs: number;
  /** The name of the file of this moment. */
  nameAt(time: number): string;
  /** Of the file's name; undefined: it is another one's. */
  timeOf(name: string): number | undefined;
  /** The last moment that has passed and has no file yet. */
  dueAt(now: number, last: number | undefined): number | undefined;
  nextAfter(now: number, last: number | undefined): number | undefined;
  /** Of the moments that have files, those whose files may go. The newest stays. */
  expired(times: readonly number[], now: number): readonly number[];
}

const DAY_MS = 86_400_000;
const MAX_FILES = 1000;
const DEFAULT_DELAY = '5m';

/** Undefined: it sends what comes. Throws an ExportProblem. */
export function exportPlanOf({ metadata, spec }: Outlet): ExportPlan | undefined {
  if (spec.export === undefined) return undefined;
  if (spec.type !== 'Parquet') throw new ExportProblem('only outlets of type Parquet export files');
  const {
    schedule: text,
    timeZone: zone = 'UTC',
    range,
    delay = DEFAULT_DELAY,
    keep,
    maxFiles = MAX_FILES,
  } = spec.export;
  const schedule = parseCron(text);
  if (schedule === undefined) throw new ExportProblem(`"${text}" is no schedule; one is "0 2 * * *"`);
  if (!isTimeZone(zone)) throw new ExportProblem(`there is no time zone ${zone}`);
  const rangeMs = range === undefined ? DAY_MS : lengthOf(range);
  const delayMs = periodMs(delay);
  if (delayMs === undefined) throw new ExportProblem(`"${delay}" is no length of time`);
  const keepMs = keep === undefined ? Number.POSITIVE_INFINITY : lengthOf(keep);
  const { namespace = '', name = '', creationTimestamp = '' } = metadata;
  const created = Date.parse(creationTimestamp) || 0;
  const since = (last = 0) => Math.max(created, last);
  // A namespace has no dots: nobody's files are taken for those of another one.
  const stem = `${namespace}.${name}-`;
  return {
    namespace,
    directory: spec.endpoint,
    selections: selectionsOf(namespace, spec),
    rangeMs,
    delayMs,
    nameAt: (time) => `${stem}${compact(time)}.parquet`,
    timeOf: (file) => (file.startsWith(stem) ? timeIn(file.slice(stem.length)) : undefined),
    dueAt: (now, last) => (since(last) < now ? lastCronTime(schedule, { since: since(last), now, zone }) : undefined),
    nextAfter: (now, last) =>
      nextCronTime(schedule, schedule.kind === 'every' ? since(last) : Math.max(now, since(last)), zone),
    expired: (times, now) =>
      times
        .toSorted((one, other) => other - one)
        .filter((time, place) => place > 0 && (place >= maxFiles || time < now - keepMs)),
  };
}

/** With `*` only after the store's answer: a pattern must not become a slow regular expression. */
function selectionsOf(namespace: string, { series }: Outlet['spec']): readonly Selection[] {
  const own = { label: 'namespace', op: '=', value: namespace } as const;
  const matchers = series === undefined || series.length === 0 ? [{}] : series;
  return matchers.map((matcher) => {
    const exact = Object.entries(matcher).filter(([, text]) => !text.includes('*'));
    const query = exact.map(([label, value]) => ({ label, op: '=', value }) as const);
    return { queries: [[own, ...query]], accepts: matcherOf({ series: [matcher] }) };
  });
}

function lengthOf(period: string): number {
  const length = periodMs(period);
  if (length === undefined || length <= 0) throw new ExportProblem(`"${period}" is no length of time`);
  return length;
}

/** `20261124T020000Z`. */
function compact(time: number): string {
  return new Date(time).toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

function timeIn(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.parquet$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
