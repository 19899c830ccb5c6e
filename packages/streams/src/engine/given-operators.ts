/** Operators on what is given out at once: groups, conditions, order, projection, limit. */
import type {
  AggregateNode,
  AnalyticNode,
  FilterNode,
  HavingNode,
  LimitNode,
  OrderNode,
  ProjectNode,
  Row,
  UnnestNode,
  Value,
} from '../sql/index.ts';
import { groupContents } from './content.ts';
import type { Given, Item } from './item.ts';
import type { GivenOperator, SavedState } from './operator.ts';
import { AnalyticStates, moveOn } from './row-operators.ts';
import { type Counters, countersOf, type Runtime } from './runtime.ts';

const NOTHING: Value[] = [];
Object.freeze(NOTHING);

/** What expressions ask about the item that they work on. */
function enter(runtime: Runtime, { input, time, analytic, aggregates }: Item, at: number): void {
  const { context } = runtime;
  runtime.input = input;
  context.eventTime = time;
  context.rowNumber = at + 1;
  context.analytic = analytic ?? NOTHING;
  context.aggregates = aggregates ?? NOTHING;
}

/** Keeps the items for which `decide` says so; one that fails is counted, and not kept. */
function keep(given: Given, runtime: Runtime, counters: Counters, decide: (item: Item) => boolean): readonly Item[] {
  counters.rowsIn += given.items.length;
  const kept = given.items.filter((item, at) => {
    enter(runtime, item, at);
    try {
      return decide(item);
    } catch (error) {
      runtime.fail(counters, error);
      return false;
    }
  });
  counters.rowsOut += kept.length;
  return kept;
}

/** Makes one item of each; those that fail are counted and left out. */
function convert(given: Given, runtime: Runtime, counters: Counters, make: (item: Item) => Item): readonly Item[] {
  counters.rowsIn += given.items.length;
  const made: Item[] = [];
  for (const [at, item] of given.items.entries()) {
    enter(runtime, item, at);
    try {
      made.push(make(item));
    } catch (error) {
      runtime.fail(counters, error);
    }
  }
  counters.rowsOut += made.length;
  return made;
}

export function condition(node: FilterNode | HavingNode, runtime: Runtime, countsHits: boolean): GivenOperator {
  const counters = countersOf(node);
  const { context } = runtime;
  return {
    counters,
    apply: (given) =>
      keep(given, runtime, counters, ({ input, time }) => {
        const passes = node.predicate(input, context);
        if (passes && countsHits) moveOn(context.hits, time);
        return passes;
      }),
  };
}

/** Groups of rows that are all there: of a join, or of one row. */
export function aggregation(node: AggregateNode, runtime: Runtime, keepsAnalytic: boolean): GivenOperator {
  const counters = countersOf(node);
  const contents = groupContents({ runtime, node, counters, keepsAnalytic });
  return {
    counters,
    apply: ({ items }) => {
      const groups = contents.create(true);
      for (const [at, item] of items.entries()) {
        enter(runtime, item, at);
        groups.add(item.input, item.time);
      }
      return groups.items();
    },
  };
}

export function groupAnalytic(node: AnalyticNode, runtime: Runtime): GivenOperator {
  const counters = countersOf(node);
  const states = new AnalyticStates(node.calls, runtime);
  return {
    counters,
    apply: (given) =>
      convert(given, runtime, counters, (item) => {
        const analytic = [...(item.analytic ?? NOTHING)];
        runtime.context.analytic = analytic;
        states.step(item.input, analytic);
        return { ...item, analytic };
      }),
    save: () => states.save(),
    load: (state: SavedState) => states.load(state),
  };
}

export function ordering(node: OrderNode, runtime: Runtime): GivenOperator {
  const counters = countersOf(node);
  const { context } = runtime;
  return {
    counters,
    apply: (given) => {
      const keyed: { readonly item: Item; readonly keys: readonly Value[] }[] = [];
      keep(given, runtime, counters, (item) => {
        keyed.push({ item, keys: node.keys.map(({ value }) => value(item.input, context)) });
        return true;
      });
      return keyed.sort((one, other) => compareKeys(one.keys, other.keys, node)).map(({ item }) => item);
    },
  };
}

function compareKeys(one: readonly Value[], other: readonly Value[], { keys }: OrderNode): number {
  for (const [at, { isDescending }] of keys.entries()) {
    const order = compareValues(one[at], other[at]);
    if (order !== 0) return isDescending ? -order : order;
  }
  return 0;
}

/** NULL comes before everything, numbers before what is no number. */
function compareValues(one: Value, other: Value): number {
  const isOneNull = one === undefined || one === null;
  const isOtherNull = other === undefined || other === null;
  if (isOneNull || isOtherNull) return Number(!isOneNull) - Number(!isOtherNull);
  const [a, b] = [comparable(one), comparable(other)];
  if (typeof a !== typeof b && (typeof a === 'string' || typeof b === 'string'))
    return Number(typeof a === 'string') - Number(typeof b === 'string');
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

function comparable(value: NonNullable<Value>): number | bigint | string {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') return value;
  if (typeof value === 'boolean') return Number(value);
  return value instanceof Date ? value.getTime() : JSON.stringify(value);
}

export function projection(node: ProjectNode, runtime: Runtime): GivenOperator {
  const counters = countersOf(node);
  const { context } = runtime;
  return {
    counters,
    apply: (given) =>
      convert(given, runtime, counters, ({ input, time }) => ({ input: node.project(input, context), time })),
  };
}

export function unnesting(node: UnnestNode): GivenOperator {
  const counters = countersOf(node);
  return {
    counters,
    apply: ({ items }) => {
      counters.rowsIn += items.length;
      const all = items.flatMap(({ input, time }) => node.expand(input as Row).map((row) => ({ input: row, time })));
      counters.rowsOut += all.length;
      return all;
    },
  };
}

export function limiting(node: LimitNode): GivenOperator {
  const counters = countersOf(node);
  return {
    counters,
    apply: ({ items }) => {
      counters.rowsIn += items.length;
      const kept = items.slice(0, node.count);
      counters.rowsOut += kept.length;
      return kept;
    },
  };
}
