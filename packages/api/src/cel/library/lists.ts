/** Lists: order, sums, ends and places. */
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { ownName } from '../syntax-tree.ts';
import type { Equality } from './equality.ts';
import { CelFailure, type Functions } from './functions.ts';

type Comparable = bigint | number | string | boolean | Date | Duration | UnsignedInt;

export function listFunctions(isEqual: Equality): Functions {
  const indexOf = (list: readonly unknown[], item: unknown) => BigInt(list.findIndex((each) => isEqual(each, item)));
  const lastIndexOf = (list: readonly unknown[], item: unknown) =>
    BigInt(list.findLastIndex((each) => isEqual(each, item)));
  return {
    'list<T>.isSorted(): bool': (list: readonly Comparable[]) =>
      list.every((item, index) => index === 0 || compare(list[index - 1] as Comparable, item) <= 0),
    'list<T>.sum(): T': sum,
    'list<T>.min(): T': (list: readonly Comparable[]) => outermost('min', list, -1),
    'list<T>.max(): T': (list: readonly Comparable[]) => outermost('max', list, 1),
    // Under the name of the language for who checks, under ours for who evaluates: calls are renamed by name alone.
    'list<T>.indexOf(T): int': indexOf,
    [`list<T>.${ownName('indexOf')}(T): int`]: indexOf,
    'list<T>.lastIndexOf(T): int': lastIndexOf,
    [`list<T>.${ownName('lastIndexOf')}(T): int`]: lastIndexOf,
  };
}

/** Durations and unsigned integers have a value of their own to compare by. */
function compare(left: Comparable, right: Comparable): number {
  const [a, b] = [left.valueOf(), right.valueOf()];
  return a < b ? -1 : a > b ? 1 : 0;
}

function outermost(name: string, list: readonly Comparable[], sign: -1 | 1): Comparable {
  const [first, ...rest] = list;
  if (first === undefined) throw new CelFailure(`${name} called on empty list`);
  return rest.reduce((best, each) => (compare(each, best) * sign > 0 ? each : best), first);
}

function sum(list: readonly unknown[]): unknown {
  const [first, ...rest] = list;
  return first === undefined ? 0n : rest.reduce(add, first);
}

function add(left: unknown, right: unknown): unknown {
  if (typeof left === 'bigint' && typeof right === 'bigint') return checked(left + right);
  if (typeof left === 'number' && typeof right === 'number') return left + right;
  if (left instanceof Duration && right instanceof Duration) return left.addDuration(right);
  if (left instanceof UnsignedInt && right instanceof UnsignedInt) return new UnsignedInt(left.value + right.value);
  throw new CelFailure('no such overload');
}

function checked(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new CelFailure('integer overflow');
  return value;
}
