/** Aggregates of spread and rank. */
import { FLOAT } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import type { Saved, Value } from '../value.ts';
import { describe } from '../values.ts';
import { literal, number } from './parameters.ts';
import { type AggregateFunction, ArgumentProblem, returning } from './specification.ts';

/** Count, mean, and the sum of squared distances from it: numerically sound, and two of them can be added (Welford, Chan). */
interface Moments {
  count: number;
  mean: number;
  squares: number;
}

/** Less than so many rows have no spread. */
function spread(name: string, least: 1 | 2, summary: string, result: (moments: Moments) => number): AggregateFunction {
  return {
    kind: 'aggregate',
    family: 'aggregate',
    name,
    parameters: [number('x')],
    returns: returning(FLOAT),
    summary,
    takesStar: false,
    ignoresNull: true,
    create: (): Moments => ({ count: 0, mean: 0, squares: 0 }),
    add: (state: Moments, value) => {
      const x = plain(name, value);
      state.count += 1;
      const distance = x - state.mean;
      state.mean += distance / state.count;
      state.squares += distance * (x - state.mean);
    },
    merge: (state: Moments, later: Moments) => {
      if (later.count === 0) return;
      const count = state.count + later.count;
      const distance = later.mean - state.mean;
      state.squares += later.squares + (distance * distance * state.count * later.count) / count;
      state.mean += (distance * later.count) / count;
      state.count = count;
    },
    result: (state: Moments) => (state.count < least ? undefined : result(state)),
    save: ({ count, mean, squares }: Moments) => [count, mean, squares],
    load: (saved) => {
      const [count = 0, mean = 0, squares = 0] = saved as readonly number[];
      return { count, mean, squares } satisfies Moments;
    },
  };
}

export function plain(name: string, value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  throw new RowError(`${name}: a number is needed, found ${describe(value)}`);
}

/** All values: a rank cannot be known from less. */
interface Ranks {
  readonly values: number[];
  readonly share: number;
}

function rank(
  name: string,
  summary: string,
  pick: (sorted: readonly number[], share: number) => number,
): AggregateFunction {
  return {
    kind: 'aggregate',
    family: 'aggregate',
    name,
    parameters: [number('x'), literal(number('share'))],
    returns: returning(FLOAT),
    summary,
    takesStar: false,
    ignoresNull: true,
    create: ([, share]): Ranks => ({ values: [], share: shareOf(share) }),
    add: ({ values }: Ranks, value) => {
      values.push(plain(name, value));
    },
    merge: ({ values }: Ranks, later: Ranks) => {
      for (const value of later.values) values.push(value);
    },
    result: ({ values, share }: Ranks) =>
      values.length === 0 ? undefined : pick(Float64Array.from(values).sort() as unknown as readonly number[], share),
    save: ({ values }: Ranks) => values,
    load: (saved: Saved, { share }: Ranks): Ranks => ({ values: [...(saved as readonly number[])], share }),
  };
}

function shareOf(share: Value): number {
  if (typeof share !== 'number' || share < 0 || share > 1) {
    throw new ArgumentProblem(1, 'a percentile is a number from 0 to 1', 'write 0.95 for the 95th');
  }
  return share;
}

/** Between two values, in proportion. */
function continuous(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The first value that at least that share is not above. */
function discrete(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export const STATISTICS: readonly AggregateFunction[] = [
  rank(
    'percentile',
    'The value that so large a share is below, between two values in proportion; the share is from 0 to 1.',
    continuous,
  ),
  rank('percentile_cont', 'The same as percentile.', continuous),
  rank('percentile_disc', 'The first value that so large a share is not above; the share is from 0 to 1.', discrete),
  spread('stddev', 1, 'The standard deviation of the whole population.', ({ count, squares }) =>
    Math.sqrt(squares / count),
  ),
  spread('stddevs', 2, 'The standard deviation as estimated from a sample.', ({ count, squares }) =>
    Math.sqrt(squares / (count - 1)),
  ),
  spread('var', 1, 'The variance of the whole population.', ({ count, squares }) => squares / count),
  spread('vars', 2, 'The variance as estimated from a sample.', ({ count, squares }) => squares / (count - 1)),
];
