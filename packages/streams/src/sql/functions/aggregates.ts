/** Aggregates, one row at a time. Two states can be added, so that a pane is counted once for all windows that it is part of. */
import { add as addIntegers } from '../compile/integers.ts';
import { ANY, arrayOf, BIGINT, FLOAT, STRUCT } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import type { Saved, Value } from '../value.ts';
import { decode, describe, encode, isNull, isStruct, keyOf } from '../values.ts';
import { any, boolean, literal, number, optional } from './parameters.ts';
import { type AggregateFunction, returning, sameAsFirst } from './specification.ts';
import { plain, STATISTICS } from './statistics.ts';

interface Count {
  count: number;
}

const COUNT: AggregateFunction = {
  kind: 'aggregate',
  family: 'aggregate',
  name: 'count',
  parameters: [any('value')],
  returns: returning(BIGINT),
  summary: 'How many rows there are, with * all of them, else those where the value is not NULL.',
  takesStar: true,
  ignoresNull: true,
  create: (): Count => ({ count: 0 }),
  add: (state: Count) => {
    state.count += 1;
  },
  merge: (state: Count, later: Count) => {
    state.count += later.count;
  },
  result: ({ count }: Count) => count,
  save: ({ count }: Count) => count,
  load: (saved) => ({ count: saved as number }) satisfies Count,
};

interface Average {
  count: number;
  sum: number;
}

const AVG: AggregateFunction = {
  kind: 'aggregate',
  family: 'aggregate',
  name: 'avg',
  parameters: [number('x')],
  returns: returning(FLOAT),
  summary: 'The average; NULL does not count.',
  takesStar: false,
  ignoresNull: true,
  create: (): Average => ({ count: 0, sum: 0 }),
  add: (state: Average, value) => {
    state.sum += plain('avg', value);
    state.count += 1;
  },
  merge: (state: Average, later: Average) => {
    state.sum += later.sum;
    state.count += later.count;
  },
  result: ({ count, sum }: Average) => (count === 0 ? undefined : sum / count),
  save: ({ count, sum }: Average) => [count, encode(sum)],
  load: (saved) => {
    const [count, sum] = saved as readonly Saved[];
    return { count: count as number, sum: decode(sum) as number } satisfies Average;
  },
};

interface Sum {
  sum: number | bigint | undefined;
  readonly isWhole: boolean;
}

const SUM: AggregateFunction = {
  kind: 'aggregate',
  family: 'aggregate',
  name: 'sum',
  parameters: [number('x')],
  returns: ([type]) => (type?.kind === 'bigint' ? BIGINT : FLOAT),
  summary: 'The sum; NULL does not count.',
  takesStar: false,
  ignoresNull: true,
  create: (_, type): Sum => ({ sum: undefined, isWhole: type.kind === 'bigint' }),
  add: (state: Sum, value) => addTo(state, value),
  merge: (state: Sum, later: Sum) => {
    if (later.sum !== undefined) addTo(state, later.sum);
  },
  result: ({ sum }: Sum) => sum,
  save: ({ sum }: Sum) => encode(sum),
  load: (saved, { isWhole }: Sum): Sum => ({ sum: decode(saved) as number | bigint | undefined, isWhole }),
};

function addTo(state: Sum, value: Value): void {
  if (!state.isWhole) {
    state.sum = ((state.sum ?? 0) as number) + plain('sum', value);
    return;
  }
  if (typeof value !== 'number' && typeof value !== 'bigint') plain('sum', value);
  state.sum = addIntegers(state.sum ?? 0, value as number | bigint);
}

interface Single {
  value: Value;
}

/** One value that stands for all: the state is that value. */
function single(
  name: string,
  summary: string,
  choose: (state: Single, value: NonNullable<Value>) => void,
): AggregateFunction {
  return {
    kind: 'aggregate',
    family: 'aggregate',
    name,
    parameters: [any('value')],
    returns: sameAsFirst,
    summary,
    takesStar: false,
    ignoresNull: true,
    create: (): Single => ({ value: undefined }),
    add: (state: Single, value) => choose(state, value as NonNullable<Value>),
    merge: (state: Single, later: Single) => {
      if (!isNull(later.value)) choose(state, later.value);
    },
    result: ({ value }: Single) => value,
    save: ({ value }: Single) => encode(value),
    load: (saved) => ({ value: decode(saved) }) satisfies Single,
  };
}

function extreme(name: string, summary: string, sign: 1 | -1): AggregateFunction {
  return single(name, summary, (state, value) => {
    const { value: best } = state;
    if (typeof value === 'number' && typeof best === 'number') {
      if ((value - best) * sign > 0) state.value = value;
      return;
    }
    if (isNull(best)) {
      orderOf(name, value);
      state.value = value;
    } else if (isBeyond(name, value, best, sign)) state.value = value;
  });
}

function isBeyond(name: string, value: NonNullable<Value>, best: NonNullable<Value>, sign: 1 | -1): boolean {
  const kind = orderOf(name, value);
  if (kind !== orderOf(name, best))
    throw new RowError(`${name}: ${describe(value)} and ${describe(best)} have no order`);
  const [left, right] = sign === 1 ? [value, best] : [best, value];
  return left > right;
}

function orderOf(name: string, value: NonNullable<Value>): string {
  if (typeof value === 'number' || typeof value === 'bigint') return 'number';
  if (typeof value === 'string') return 'string';
  if (value instanceof Date) return 'datetime';
  throw new RowError(`${name}: ${describe(value)} has no order`);
}

interface Ends {
  value: Value;
  isSet: boolean;
  readonly skipsNull: boolean;
}

/** The first or the last value; with `true` the first or last that is not NULL. */
function end(name: string, summary: string, isLast: boolean): AggregateFunction {
  const take = (state: Ends, value: Value): void => {
    if ((state.isSet && !isLast) || (state.skipsNull && isNull(value))) return;
    state.value = value ?? undefined;
    state.isSet = true;
  };
  return {
    kind: 'aggregate',
    family: 'aggregate',
    name,
    parameters: [any('value'), optional(literal(boolean('ignoreNull')))],
    returns: sameAsFirst,
    summary,
    takesStar: false,
    ignoresNull: false,
    create: ([, skipsNull]): Ends => ({ value: undefined, isSet: false, skipsNull: skipsNull === true }),
    add: take,
    merge: (state: Ends, later: Ends) => {
      if (later.isSet) take(state, later.value);
    },
    result: ({ value }: Ends) => value,
    save: ({ value, isSet }: Ends) => [isSet, encode(value)],
    load: (saved, { skipsNull }: Ends): Ends => {
      const [isSet, value] = saved as readonly Saved[];
      return { value: decode(value), isSet: isSet === true, skipsNull };
    },
  };
}

interface Collected {
  readonly values: Value[];
}

const COLLECT: AggregateFunction = {
  kind: 'aggregate',
  family: 'aggregate',
  name: 'collect',
  parameters: [any('value')],
  returns: ([type]) => arrayOf(type ?? ANY),
  summary: 'An array of the values, with * of the rows.',
  takesStar: true,
  ignoresNull: false,
  create: (): Collected => ({ values: [] }),
  add: ({ values }: Collected, value) => {
    values.push(value ?? null);
  },
  merge: ({ values }: Collected, later: Collected) => {
    for (const value of later.values) values.push(value);
  },
  // Given away, so a window that goes on to grow must not change it.
  result: ({ values }: Collected) => values.slice(),
  save: ({ values }: Collected) => encode(values),
  load: (saved) => ({ values: [...(decode(saved) as readonly Value[])] }) satisfies Collected,
};

interface Merged {
  readonly fields: Map<string, Value>;
}

const MERGE_AGG: AggregateFunction = {
  kind: 'aggregate',
  family: 'aggregate',
  name: 'merge_agg',
  parameters: [any('struct')],
  returns: returning(STRUCT),
  summary: 'The fields of all structs, with * of all rows, in one; of those with the same key the last.',
  takesStar: true,
  ignoresNull: true,
  create: (): Merged => ({ fields: new Map() }),
  add: ({ fields }: Merged, value) => {
    if (!isStruct(value)) return;
    for (const [name, field] of Object.entries(value)) fields.set(name, field);
  },
  merge: ({ fields }: Merged, later: Merged) => {
    for (const [name, field] of later.fields) fields.set(name, field);
  },
  result: ({ fields }: Merged) => Object.fromEntries(fields),
  save: ({ fields }: Merged) => [...fields].map(([name, field]): Saved => [name, encode(field)]),
  load: (saved) => {
    const entries = saved as readonly (readonly [string, Saved])[];
    return { fields: new Map(entries.map(([name, field]) => [name, decode(field)])) } satisfies Merged;
  },
};

interface Distinct {
  readonly keys: Set<string>;
  readonly rows: Value[];
  /** Of the last row: whether its value was new. */
  isLastNew: boolean;
  readonly givesAll: boolean;
}

const DEDUPLICATE: AggregateFunction = {
  kind: 'aggregate',
  family: 'aggregate',
  name: 'deduplicate',
  parameters: [any('value'), literal(boolean('all'))],
  returns: (_, [, all]) => (all === true ? arrayOf(STRUCT) : STRUCT),
  summary: 'With true, the rows in which the value is new; with false, the last row if its value is new, else NULL.',
  takesStar: false,
  ignoresNull: false,
  needsRow: true,
  create: ([, all]): Distinct => ({ keys: new Set(), rows: [], isLastNew: false, givesAll: all === true }),
  add: (state: Distinct, value, row) => addDistinct(state, keyOf(value), row),
  merge: (state: Distinct, later: Distinct) => {
    const keys = [...later.keys];
    const last = later.isLastNew ? keys.at(-1) : undefined;
    const isNew = last !== undefined && !state.keys.has(last);
    for (const [index, key] of keys.entries()) addDistinct(state, key, later.rows[index]);
    if (keys.length > 0) state.isLastNew = isNew;
  },
  result: ({ rows, isLastNew, givesAll }: Distinct) => (givesAll ? rows.slice() : isLastNew ? rows.at(-1) : undefined),
  save: ({ keys, rows, isLastNew }: Distinct) => [[...keys], rows.map(encode), isLastNew],
  load: (saved, { givesAll }: Distinct): Distinct => {
    const [keys, rows, isLastNew] = saved as readonly [readonly string[], readonly Saved[], boolean];
    return { keys: new Set(keys), rows: rows.map(decode), isLastNew, givesAll };
  },
};

function addDistinct(state: Distinct, key: string, row: Value): void {
  state.isLastNew = !state.keys.has(key);
  if (!state.isLastNew) return;
  state.keys.add(key);
  state.rows.push(row);
}

export const AGGREGATES: readonly AggregateFunction[] = [
  AVG,
  COLLECT,
  COUNT,
  DEDUPLICATE,
  end('first_value', 'The first value; with true the first that is not NULL.', false),
  end('last_value', 'The last value; with true the last that is not NULL.', true),
  extreme('max', 'The greatest value; NULL does not count.', 1),
  MERGE_AGG,
  extreme('min', 'The smallest value; NULL does not count.', -1),
  ...STATISTICS,
  SUM,
];
