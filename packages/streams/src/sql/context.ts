/** The context of a rule's expressions. */
import { zoneOf } from './time/zone.ts';
import type { EvalContext, Row, Value } from './value.ts';

export interface ContextOptions {
  readonly ruleId: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random?: () => number;
  /** IANA name; UTC without it. An unknown one throws RangeError. */
  readonly timeZone?: string;
  readonly meta?: (source: number) => Row | undefined;
  readonly keyedState?: (key: string) => Value;
}

export function createContext({
  ruleId,
  now,
  random,
  timeZone = 'UTC',
  meta,
  keyedState,
}: ContextOptions): EvalContext {
  return {
    ruleId,
    ruleStart: Math.floor(now()),
    zone: zoneOf(timeZone),
    timeZone,
    now,
    random: random ?? Math.random,
    meta: meta ?? (() => undefined),
    keyedState: keyedState ?? (() => undefined),
    hits: { count: 0, time: 0 },
    eventTime: 0,
    windowStart: 0,
    windowEnd: 0,
    windowTrigger: 0,
    rowNumber: 0,
    analytic: [],
    aggregates: [],
  };
}
