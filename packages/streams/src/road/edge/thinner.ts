/** One value a series and step at most, as a Route's `thin` says. Steps are counted from 1970 by the values' own times. */
import { parseDuration } from '@skerry/api/durations';
import { type Boxed, isBad, type Scalar } from '../../contract/index.ts';
import type { RouteSpec } from '../../kinds/index.ts';

export type Row = readonly [series: number, time: number, value: Scalar | Boxed, quality: number];
type Give = (...row: Row) => void;

export interface Thinner {
  take(row: Row, give: Give): void;
  /** Steps whose time has passed. */
  look(now: number, give: Give): void;
  /** All of them. */
  finish(give: Give): void;
}

interface Step {
  readonly start: number;
  kept: Row;
  sum: number;
  count: number;
}

/** Undefined: every value goes. */
export function createThinner({ thin }: RouteSpec): Thinner | undefined {
  const length = thin === undefined ? 0 : (parseDuration(thin.step) ?? 0);
  if (thin === undefined || length <= 0) return undefined;
  const { aggregate = 'Last' } = thin;
  const steps = new Map<number, Step>();
  const close = (series: number, step: Step, give: Give) => {
    steps.delete(series);
    give(...resultOf(aggregate, step));
  };
  return {
    take: (row, give) => {
      const [series, time] = row;
      const start = Math.floor(time / length) * length;
      const open = steps.get(series);
      // What comes late, for a step that is over, goes as it is.
      if (open !== undefined && start < open.start) return give(...row);
      if (open?.start === start) return add(aggregate, open, row);
      if (open !== undefined) close(series, open, give);
      const begun: Step = { start, kept: row, sum: 0, count: 0 };
      add(aggregate, begun, row);
      steps.set(series, begun);
    },
    look: (now, give) => {
      for (const [series, step] of steps) if (now >= step.start + length) close(series, step, give);
    },
    finish: (give) => {
      for (const [series, step] of steps) close(series, step, give);
    },
  };
}

type Aggregate = NonNullable<NonNullable<RouteSpec['thin']>['aggregate']>;

function add(aggregate: Aggregate, step: Step, row: Row): void {
  if (isKept(aggregate, step.kept, row)) step.kept = row;
  const [, , value, quality] = row;
  if (typeof value !== 'number' || Number.isNaN(value) || isBad(quality)) return;
  step.sum += value;
  step.count++;
}

/** Whether the new one takes the place of the one before. What is no number, or bad, is never the smallest or the largest. */
function isKept(aggregate: Aggregate, [, , before, quality]: Row, [, , value, newQuality]: Row): boolean {
  if (aggregate === 'Last') return true;
  if (aggregate !== 'Minimum' && aggregate !== 'Maximum') return false;
  if (typeof value !== 'number' || Number.isNaN(value) || isBad(newQuality)) return false;
  if (typeof before !== 'number' || Number.isNaN(before) || isBad(quality)) return true;
  return aggregate === 'Minimum' ? value < before : value > before;
}

function resultOf(aggregate: Aggregate, { kept, sum, count, start }: Step): Row {
  const [series, , , quality] = kept;
  return aggregate === 'Average' && count > 0 ? [series, start, sum / count, quality] : kept;
}
