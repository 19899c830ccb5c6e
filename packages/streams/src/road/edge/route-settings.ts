/** What a Route's spec says, as the road understands it. Pure. */
import { parseDuration } from '@skerry/api/durations';
import type { RouteSpec, BudgetWindow as WindowSpec } from '../../kinds/index.ts';
import { DAYS } from '../../kinds/route.ts';
import type { BudgetWindow, RouteSettings } from '../contract.ts';

const DAY_MS = 86_400_000;
const DEFAULTS = { maxRows: 8192, maxDelayMs: 500, maxBytes: 1024 ** 3, maxAgeMs: 30 * DAY_MS };

export function settingsOf({ priority = 'Live', batch, queue, budget }: RouteSpec): RouteSettings {
  return {
    priority,
    maxRows: batch?.maxRows ?? DEFAULTS.maxRows,
    maxDelayMs: parseDuration(batch?.maxDelay ?? '') ?? DEFAULTS.maxDelayMs,
    maxBytes: queue?.maxBytes ?? DEFAULTS.maxBytes,
    maxAgeMs: periodMs(queue?.maxAge ?? '') ?? DEFAULTS.maxAgeMs,
    ...(budget?.bytesPerSecond === undefined ? {} : { bytesPerSecond: budget.bytesPerSecond }),
    windows: (budget?.windows ?? []).map(windowOf),
  };
}

/** A duration, which may have days. */
export function periodMs(period: string): number | undefined {
  const [, days = '0', rest = ''] = /^(?:(\d+(?:\.\d+)?)d)?(.*)$/.exec(period) ?? [];
  const restMs = rest === '' ? 0 : parseDuration(rest);
  return period === '' || restMs === undefined ? undefined : Number(days) * DAY_MS + restMs;
}

/** Sunday is 0. */
const WEEK = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

function windowOf({ from, to, days = DAYS, timeZone = 'UTC', bytesPerSecond }: WindowSpec): BudgetWindow {
  const minutes = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
  return {
    from: minutes(from),
    to: minutes(to),
    days: days.map((day) => WEEK.indexOf(day)),
    timeZone: isZone(timeZone) ? timeZone : 'UTC',
    bytesPerSecond,
  };
}

function isZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone }).format();
    return true;
  } catch {
    return false;
  }
}

/** Whether a series goes the way of a route: one of the matchers holds, each of whose patterns does; `*` stands for any text. */
export function matcherOf({ series }: RouteSpec): (labels: Readonly<Record<string, string>>) => boolean {
  if (series === undefined || series.length === 0) return () => true;
  const matchers = series.map((matcher) =>
    Object.entries(matcher).map(([label, text]) => ({ label, ...pattern(text) })),
  );
  return (labels) => matchers.some((matcher) => matcher.every(({ label, matches }) => matches(labels[label] ?? '')));
}

/** Without a regular expression, whose time a pattern could make long. */
function pattern(text: string): { readonly matches: (value: string) => boolean } {
  const parts = text.split('*');
  const [first = '', ...others] = parts;
  const last = others.pop();
  if (last === undefined) return { matches: (value) => value === text };
  return {
    matches: (value) => {
      if (!value.startsWith(first) || !value.endsWith(last)) return false;
      const end = value.length - last.length;
      let at = first.length;
      for (const part of others) {
        const found = value.indexOf(part, at);
        if (found === -1 || found + part.length > end) return false;
        at = found + part.length;
      }
      return at <= end;
    },
  };
}
