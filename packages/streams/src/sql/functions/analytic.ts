/** Analytic functions: they remember something of earlier rows. */
import { ANY, BIGINT, BOOLEAN, type DataType, FLOAT, STRUCT } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import type { Row, Saved, Value } from '../value.ts';
import { decode, describe, encode, isNull, isSame, isStruct } from '../values.ts';
import { any, boolean, integer, literal, nullable, number, optional, rest, string } from './parameters.ts';
import { type AnalyticFunction, ArgumentProblem, type Parameter, returning } from './specification.ts';
import { plain } from './statistics.ts';

/** So far back `lag` looks at most. */
const MAX_LAG = 10_000;

interface Described {
  readonly parameters: readonly Parameter[];
  readonly returns?: DataType | AnalyticFunction['returns'];
  readonly summary: string;
  readonly takesStar?: boolean;
  readonly givesColumns?: true;
  readonly check?: NonNullable<AnalyticFunction['check']>;
}

/** A function whose state is a few values. */
function analytic(
  name: string,
  { parameters, returns = ANY, summary, takesStar = false, givesColumns, check }: Described,
  step: (memory: Memory, isValid: boolean, args: readonly Value[]) => Value,
): AnalyticFunction {
  return {
    kind: 'analytic',
    family: 'analytic',
    name,
    parameters,
    returns: returning(returns),
    summary,
    takesStar,
    create: (): Memory => ({ values: [], count: 0, sum: 0, isSet: false }),
    step,
    save: ({ values, count, sum, isSet }: Memory) => [values.map(encode), count, encode(sum), isSet],
    load: (saved): Memory => {
      const [values, count, sum, isSet] = saved as readonly [readonly Saved[], number, Saved, boolean];
      return { values: values.map(decode), count, sum: decode(sum) as number, isSet };
    },
    ...(givesColumns === undefined ? {} : { givesColumns }),
    ...(check === undefined ? {} : { check }),
  };
}

/** What they remember; each uses what it needs. */
interface Memory {
  values: Value[];
  count: number;
  sum: number;
  isSet: boolean;
}

const IGNORE_NULL = boolean('ignoreNull');
const value = nullable(any('value'));
const typeOfFirst: AnalyticFunction['returns'] = ([first]) => first ?? ANY;
const typeOfSecond: AnalyticFunction['returns'] = ([, second]) => second ?? ANY;

function truth(name: string, condition: Value): boolean {
  if (isNull(condition)) return false;
  if (typeof condition === 'boolean') return condition;
  throw new RowError(`${name}: a boolean is needed, found ${describe(condition)}`);
}

const LAG = analytic(
  'lag',
  {
    parameters: [
      value,
      optional(literal(integer('offset'))),
      optional(nullable(any('default'))),
      optional(IGNORE_NULL),
    ],
    returns: typeOfFirst,
    check: ([, offset]) => {
      if (typeof offset !== 'number' || (offset >= 0 && offset <= MAX_LAG)) return;
      throw new ArgumentProblem(1, `an offset is a number from 0 to ${MAX_LAG}`);
    },
    summary: 'The value of the row before, or so many rows before; the default, or NULL, when there is none.',
  },
  (memory, isValid, [current, offset, otherwise, ignoresNull]) => {
    const { values } = memory;
    const length = typeof offset === 'number' ? offset : 1;
    const before = values.length < length ? otherwise : values[0];
    if (!isValid || (ignoresNull === true && isNull(current))) return before;
    values.push(current);
    if (values.length > length) values.shift();
    return length === 0 ? current : before;
  },
);

const LATEST = analytic(
  'latest',
  {
    parameters: [value, optional(nullable(any('default')))],
    returns: typeOfFirst,
    summary: 'The last value that was not NULL; the default, or NULL, when there was none.',
  },
  (memory, isValid, [current, otherwise]) => {
    if (isValid && !isNull(current)) memory.values[0] = current;
    const [latest] = memory.values;
    return isNull(latest) ? otherwise : latest;
  },
);

/** Whether the value differs from the one before, which it then takes the place of. */
function hasChanged({ values }: Memory, index: number, current: Value, ignoresNull: boolean): boolean {
  if (ignoresNull && isNull(current)) return false;
  const next = ignoresNull && isStruct(current) ? filledUp(values[index], current) : current;
  if (index < values.length && isSame(values[index], next)) return false;
  while (values.length < index) values.push(undefined);
  values[index] = next;
  return true;
}

/** Of a whole row too, what is NULL is what it was before. */
function filledUp(before: Value, current: Row): Row {
  const present = Object.entries(current).filter(([, field]) => !isNull(field));
  return { ...(isStruct(before) ? before : {}), ...Object.fromEntries(present) };
}

const CHANGED_COL = analytic(
  'changed_col',
  {
    parameters: [IGNORE_NULL, value],
    returns: typeOfSecond,
    summary: 'The value if it is another than that of the row before, else NULL.',
  },
  (memory, isValid, [ignoresNull, current]) =>
    isValid && hasChanged(memory, 0, current, ignoresNull === true) ? current : undefined,
);

const HAD_CHANGED = analytic(
  'had_changed',
  {
    parameters: [IGNORE_NULL, rest(value)],
    returns: BOOLEAN,
    summary: 'Whether one of the values, with * any column, is another than that of the row before.',
    takesStar: true,
  },
  (memory, isValid, [ignoresNull, ...current]) => {
    if (!isValid) return false;
    let isChanged = false;
    for (const [index, one] of current.entries()) {
      if (hasChanged(memory, index, one, ignoresNull === true)) isChanged = true;
    }
    return isChanged;
  },
);

/** Its arguments arrive as one struct: the columns with the names that they have in the result. */
const CHANGED_COLS = analytic(
  'changed_cols',
  {
    parameters: [literal(string('prefix')), IGNORE_NULL, rest(value)],
    returns: STRUCT,
    summary:
      'Those of the columns, with * of all, that are others than in the row before, as columns with the prefix; with false also those that became NULL.',
    takesStar: true,
    givesColumns: true,
  },
  (memory, isValid, [prefix, ignoresNull, columns]) => {
    if (!isValid || !isStruct(columns)) return {};
    const before = isStruct(memory.values[0]) ? memory.values[0] : {};
    const changed = Object.entries(columns).filter(([name, current]) => {
      if (isNull(current) && ignoresNull === true) return false;
      return !Object.hasOwn(before, name) || !isSame(before[name], current);
    });
    memory.values[0] = { ...before, ...Object.fromEntries(changed) };
    return Object.fromEntries(changed.map(([name, current]) => [`${String(prefix)}${name}`, current])) as Row;
  },
);

/** NULL changes nothing: the result is that of the rows so far. */
function accumulate(
  name: string,
  summary: string,
  returns: DataType | AnalyticFunction['returns'],
  take: (memory: Memory, current: NonNullable<Value>) => void,
  result: (memory: Memory) => Value,
): AnalyticFunction {
  const parameters = [name === 'acc_count' || name === 'acc_max' || name === 'acc_min' ? value : nullable(number('x'))];
  return analytic(name, { parameters, returns, summary }, (memory, isValid, [current]) => {
    if (isValid && !isNull(current)) take(memory, current);
    return result(memory);
  });
}

function takeNumber(name: string): (memory: Memory, current: NonNullable<Value>) => void {
  return (memory, current) => {
    memory.sum += plain(name, current);
    memory.count += 1;
  };
}

function takeExtreme(sign: 1 | -1): (memory: Memory, current: NonNullable<Value>) => void {
  return ({ values }, current) => {
    const [best] = values;
    if (isNull(best) || (sign === 1 ? current > best : current < best)) values[0] = current;
  };
}

const CHANGE = [value, optional(nullable(any('target'))), optional(boolean('ignoreNull'))] as const;

/** Whether the watched value has just become the target, or, without one, another. */
function hasBecome(memory: Memory, current: Value, target: Value, ignoresNull: Value, hasTarget: boolean): boolean {
  const isNew = hasChanged(memory, 0, current, ignoresNull === true);
  return isNew && (!hasTarget || isSame(current, target));
}

const CHANGE_TO = analytic(
  'change_to',
  {
    parameters: CHANGE,
    returns: BOOLEAN,
    summary: 'Whether the value has just become the target; without one, whether it is another than before.',
  },
  (memory, isValid, [current, target, ignoresNull]) =>
    isValid && hasBecome(memory, current, target, ignoresNull, !isNull(target)),
);

const CHANGE_CAPTURE = analytic(
  'change_capture',
  {
    parameters: [nullable(any('captured')), ...CHANGE],
    returns: typeOfFirst,
    summary:
      'What the first argument was when the second last became the target; without a target, when it last changed.',
  },
  (memory, isValid, [captured, current, target, ignoresNull]) => {
    if (isValid && hasBecome(memory, current, target, ignoresNull, !isNull(target))) memory.values[1] = captured;
    return memory.values[1];
  },
);

const CONSECUTIVE_COUNT = analytic(
  'consecutive_count',
  {
    parameters: [nullable(boolean('condition'))],
    returns: BIGINT,
    summary: 'For how many rows in a row, this one included, the condition has been true.',
  },
  (memory, isValid, [condition]) => {
    if (isValid) memory.count = truth('consecutive_count', condition) ? memory.count + 1 : 0;
    return memory.count;
  },
);

const CONSECUTIVE_START = analytic(
  'consecutive_start',
  {
    parameters: [nullable(boolean('condition')), nullable(any('captured'))],
    returns: typeOfSecond,
    summary: 'What the second argument was when the condition became true; NULL while it is not.',
  },
  (memory, isValid, [condition, captured]) => {
    if (!isValid) return memory.isSet ? memory.values[0] : undefined;
    const holds = truth('consecutive_start', condition);
    if (holds && !memory.isSet) memory.values[0] = captured;
    memory.isSet = holds;
    return holds ? memory.values[0] : undefined;
  },
);

export const ANALYTIC: readonly AnalyticFunction[] = [
  accumulate('acc_avg', 'The average of all values so far.', FLOAT, takeNumber('acc_avg'), ({ sum, count }) =>
    count === 0 ? undefined : sum / count,
  ),
  accumulate(
    'acc_count',
    'How many values there were so far.',
    BIGINT,
    (memory) => {
      memory.count += 1;
    },
    ({ count }) => count,
  ),
  accumulate('acc_max', 'The greatest value so far.', typeOfFirst, takeExtreme(1), ({ values }) => values[0]),
  accumulate('acc_min', 'The smallest value so far.', typeOfFirst, takeExtreme(-1), ({ values }) => values[0]),
  accumulate('acc_sum', 'The sum of all values so far.', FLOAT, takeNumber('acc_sum'), ({ sum }) => sum),
  CHANGE_CAPTURE,
  CHANGE_TO,
  CHANGED_COL,
  CHANGED_COLS,
  CONSECUTIVE_COUNT,
  CONSECUTIVE_START,
  HAD_CHANGED,
  LAG,
  LATEST,
];
