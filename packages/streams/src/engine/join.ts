/** Joins of what a window holds: by hash where ON has equalities, else each with each. */
import type { Evaluate, JoinNode, Tuple, Value } from '../sql/index.ts';
import type { Given, Item } from './item.ts';
import type { GivenOperator } from './operator.ts';
import { type Counters, countersOf, type Runtime } from './runtime.ts';

/** So many rows may come of one window: a join without a condition that holds would fill the memory. */
const MAX_JOINED = 1_000_000;

/** All joins of a query, in their order: the first joins the rows of the source that is joined to nothing. */
export function joining(nodes: readonly JoinNode[], runtime: Runtime): GivenOperator {
  const counters = countersOf(nodes[nodes.length - 1] ?? { id: '', kind: 'join', says: '' });
  const rights = new Set(nodes.map(({ right }) => right));
  return {
    counters,
    apply: (given) => {
      counters.rowsIn += given.items.length;
      const bySource = splitBySource(given);
      const [first] = [...bySource.keys()].filter((source) => !rights.has(source));
      let joined = first === undefined ? [] : (bySource.get(first) ?? []);
      for (const node of nodes) joined = joinOne(node, joined, bySource.get(node.right) ?? [], { runtime, counters });
      counters.rowsOut += joined.length;
      return joined;
    },
  };
}

function splitBySource({ items }: Given): Map<number, Item[]> {
  const bySource = new Map<number, Item[]>();
  for (const item of items) {
    const source = (item.input as Tuple).findIndex((row) => row !== undefined);
    const known = bySource.get(source);
    if (known === undefined) bySource.set(source, [item]);
    else known.push(item);
  }
  return bySource;
}

interface Surroundings {
  readonly runtime: Runtime;
  readonly counters: Counters;
}

function joinOne(node: JoinNode, lefts: readonly Item[], rights: readonly Item[], around: Surroundings): Item[] {
  const joined: Item[] = [];
  const matched = new Set<Item>();
  const candidatesOf = finder(node, rights, around);
  for (const left of lefts) {
    let isMatched = false;
    for (const right of candidatesOf(left)) {
      const both = merge(left, right, node.right);
      if (!holds(node, both, around)) continue;
      isMatched = true;
      matched.add(right);
      if (joined.length < MAX_JOINED) joined.push(both);
      else around.runtime.drop('WindowFull');
    }
    if (!isMatched && (node.type === 'left' || node.type === 'full')) joined.push(left);
  }
  if (node.type === 'right' || node.type === 'full') joined.push(...rights.filter((right) => !matched.has(right)));
  return joined;
}

/** Which rows of the right side may match a row of the left. */
function finder(node: JoinNode, rights: readonly Item[], around: Surroundings): (left: Item) => readonly Item[] {
  if (node.keys.length === 0) return () => rights;
  const byKey = new Map<string, Item[]>();
  for (const right of rights) {
    const key = keyOf(
      node.keys.map((each) => each.right),
      right,
      around,
    );
    if (key === undefined) continue;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [right]);
    else known.push(right);
  }
  const ofLeft = node.keys.map((each) => each.left);
  return (left) => {
    const key = keyOf(ofLeft, left, around);
    return key === undefined ? [] : (byKey.get(key) ?? []);
  };
}

/** Undefined where a part is NULL, which equals nothing, or fails. */
function keyOf(parts: readonly Evaluate[], { input }: Item, { runtime, counters }: Surroundings): string | undefined {
  try {
    let key = '';
    for (const part of parts) {
      const value = part(input, runtime.context);
      if (value === undefined || value === null) return undefined;
      key += `${textOf(value)}\0`;
    }
    return key;
  } catch (error) {
    runtime.fail(counters, error);
    return undefined;
  }
}

function textOf(value: NonNullable<Value>): string {
  if (typeof value === 'string') return `s${value}`;
  if (typeof value === 'number' || typeof value === 'bigint') return `n${value}`;
  return value instanceof Date ? `n${value.getTime()}` : JSON.stringify(value);
}

function holds({ rest }: JoinNode, { input }: Item, { runtime, counters }: Surroundings): boolean {
  if (rest === undefined) return true;
  try {
    return rest(input, runtime.context);
  } catch (error) {
    runtime.fail(counters, error);
    return false;
  }
}

function merge(left: Item, right: Item, source: number): Item {
  const input = [...(left.input as Tuple)];
  input[source] = (right.input as Tuple)[source];
  const time = Math.max(left.time, right.time);
  if (left.analytic === undefined && right.analytic === undefined) return { input, time };
  // Each side has the results of its own calls.
  const analytic = [...(right.analytic ?? [])];
  for (const [slot, value] of (left.analytic ?? []).entries()) if (value !== undefined) analytic[slot] = value;
  return { input, time, analytic };
}
