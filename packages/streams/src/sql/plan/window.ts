/** The window of a statement: its lengths in milliseconds or rows, its conditions. */
import type { Expression, TimeUnit, Window } from '../ast.ts';
import type { Bound } from '../compile/bound.ts';
import { compilePredicate } from '../compile/expression.ts';
import { printWindow } from '../print.ts';
import type { Binder, Clause } from './binder.ts';
import { idOf } from './ids.ts';
import type { PlanNode, WindowNode, WindowShape } from './plan.ts';
import { keyReader } from './states.ts';

const UNIT_MS: Readonly<Record<TimeUnit, number>> = { dd: 86_400_000, hh: 3_600_000, mi: 60_000, ss: 1000, ms: 1 };

/** A year and a day: nobody's window is longer, and somebody's mistake is. */
const MAX_LENGTH_MS = 367 * 86_400_000;
/** Rows of a count window are kept. */
const MAX_COUNT = 1_000_000;

export interface BoundWindow {
  readonly window: Window;
  readonly begin: Bound | undefined;
  readonly emit: Bound | undefined;
  readonly filter: Bound | undefined;
  readonly trigger: Bound | undefined;
  readonly partition: readonly Bound[];
}

export function bindWindow(binder: Binder, window: Window): BoundWindow {
  checkNumbers(binder, window);
  const { type, over, span } = window;
  const isByTime = type === 'tumbling' || type === 'hopping';
  if (over?.when !== undefined && type !== 'sliding' && type !== 'count') {
    throw binder.error(
      over.when.span,
      `a ${type} window gives out by itself`,
      'WHEN is for sliding windows; use FILTER or HAVING',
    );
  }
  if (over !== undefined && over.partition.length > 0 && isByTime) {
    throw binder.error(span, `a ${type} window is the same for all rows`, 'put the column into GROUP BY');
  }
  const condition = (name: string, expression: Expression | undefined) =>
    expression && binder.condition(expression, clause(name, binder.mayAnalyseRows));
  const filter = condition('FILTER', window.filter);
  const partition = (over?.partition ?? []).map((by) => binder.bind(by, clause('PARTITION BY', binder.mayAnalyseRows)));
  const [begin, emit] = window.conditions.map((one) => condition('STATEWINDOW', one));
  const trigger = condition('OVER (WHEN)', over?.when);
  return { window, begin, emit, filter, trigger, partition };
}

function clause(name: string, mayAnalyse: boolean): Clause {
  return { name, level: 'row', prefersAliases: false, mayAggregate: false, mayAnalyse };
}

function checkNumbers(binder: Binder, { type, unit, numbers, span }: Window): void {
  const [length = 1, interval] = numbers;
  const isZero = length === 0 || (interval === 0 && type !== 'sliding');
  if (isZero) throw binder.error(span, `a ${type} window of length 0 has no rows`);
  if (type === 'count' && interval !== undefined && interval > length) {
    throw binder.error(
      span,
      `rows would be lost: ${interval} come before a window of ${length} is given out`,
      'the second number is at most the first',
    );
  }
  const isTooLong =
    unit === undefined ? length > MAX_COUNT : numbers.some((number) => number * UNIT_MS[unit] > MAX_LENGTH_MS);
  if (isTooLong)
    throw binder.error(
      span,
      'the window is too long',
      unit === undefined ? `at most ${MAX_COUNT} rows` : 'at most a year',
    );
}

export interface WindowPlace {
  readonly inputs: readonly PlanNode[];
  readonly where: Bound | undefined;
  readonly keepsRows: boolean;
}

export function windowNode(binder: Binder, bound: BoundWindow, { inputs, where, keepsRows }: WindowPlace): WindowNode {
  const { window, filter, trigger, partition } = bound;
  const options = { width: binder.scope.width };
  const key = keyReader(partition, options);
  const conditions = [bound.begin, bound.emit, filter, trigger, where, ...partition];
  const texts = conditions.map((one) => (one === undefined ? null : binder.drafts.digest(one)));
  return {
    kind: 'window',
    id: idOf(
      'window',
      inputs.map(({ id }) => id),
      window.type,
      window.unit,
      window.numbers,
      texts,
      keepsRows,
    ),
    says: printWindow(window),
    inputs,
    shape: shapeOf(bound, options),
    ...(filter === undefined ? {} : { admit: compilePredicate(filter, options) }),
    ...(trigger === undefined ? {} : { trigger: compilePredicate(trigger, options) }),
    ...(key === undefined ? {} : { partition: key }),
    isAligned: window.unit === 'dd' || window.unit === 'hh',
    ...(where === undefined ? {} : { where: compilePredicate(where, options) }),
    keepsRows,
  };
}

function shapeOf({ window, begin, emit }: BoundWindow, options: { readonly width: number }): WindowShape {
  const { type, unit, numbers } = window;
  const [first = 0, second] = numbers.map((number) => number * (unit === undefined ? 1 : UNIT_MS[unit]));
  switch (type) {
    case 'tumbling':
      return { type, length: first };
    case 'hopping':
      return { type, length: first, interval: second ?? first };
    case 'sliding':
      return { type, length: first, delay: second ?? 0 };
    case 'session':
      return { type, maximum: first, timeout: second ?? first };
    case 'count':
      return { type, length: first, interval: second ?? first };
    case 'state': {
      const [opens, gives] = [begin, emit].map((one) =>
        one === undefined ? () => false : compilePredicate(one, options),
      );
      return { type, begin: opens ?? (() => false), emit: gives ?? (() => false) };
    }
  }
}
