/** `sets.contains`, `sets.equivalent`, `sets.intersects`: lists taken as sets. */
import type { Environment } from '@marcbachmann/cel-js';
import type { Meter } from '../meter.ts';
import type { Equality } from './equality.ts';
import { addFunctions } from './functions.ts';

class SetsNamespace {}

type List = readonly unknown[];

export function addSetFunctions(environment: Environment, isEqual: Equality, meter: Meter): void {
  const has = (list: List, a: unknown): boolean => {
    meter.spendFor(list, a);
    return list.some((each) => isEqual(each, a));
  };
  const contains = (list: List, part: List) => part.every((each) => has(list, each));
  environment.registerType('SetsNamespace', SetsNamespace);
  environment.registerConstant('sets', 'SetsNamespace', new SetsNamespace());
  addFunctions(environment, {
    'SetsNamespace.contains(list<T>, list<T>): bool': (_: unknown, list: List, part: List) => contains(list, part),
    'SetsNamespace.equivalent(list<T>, list<T>): bool': (_: unknown, left: List, right: List) =>
      contains(left, right) && contains(right, left),
    'SetsNamespace.intersects(list<T>, list<T>): bool': (_: unknown, left: List, right: List) =>
      left.some((each) => has(right, each)),
  });
}
