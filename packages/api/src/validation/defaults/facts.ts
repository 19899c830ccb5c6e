/** A default is a fact: at this path, when there is nothing, there stands this. `[]` goes into each item, `{}` into each value of a map. */
import { cloneJson, isObject, type JsonObject, setMember } from '../../json.ts';

/** `[path, value]`. The default is set only where the parent exists, so that defaults never make up a parent. */
export type Fact = readonly [path: string, value: unknown];

export type Defaulter = (object: JsonObject) => void;

/** One function for many facts; they apply in order, so a later fact may fill what an earlier one made. */
export function facts(...list: readonly Fact[]): Defaulter {
  const defaulters = list.map(compile);
  return (object) => {
    for (const defaulter of defaulters) defaulter(object);
  };
}

/** Applies `defaulter` to every object at a path. */
export function within(path: string, defaulter: Defaulter): Defaulter {
  const steps = path.split('.');
  return (object) => eachAt(object, steps, 0, defaulter);
}

export function all(...defaulters: readonly Defaulter[]): Defaulter {
  return (object) => {
    for (const defaulter of defaulters) defaulter(object);
  };
}

/** Sets a member that is absent. */
export function fill(object: JsonObject, name: string, value: unknown): void {
  if (object[name] === undefined || object[name] === null) setMember(object, name, cloneJson(value));
}

function compile([path, value]: Fact): Defaulter {
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  if (steps.length === 0) return (object) => fill(object, last, value);
  return (object) => eachAt(object, steps, 0, (parent) => fill(parent, last, value));
}

function eachAt(value: unknown, steps: readonly string[], index: number, visit: Defaulter): void {
  if (!isObject(value)) return;
  const step = steps[index];
  if (step === undefined) {
    visit(value);
    return;
  }
  const isList = step.endsWith('[]');
  const child = value[isList || step.endsWith('{}') ? step.slice(0, -2) : step];
  if (isList) {
    if (Array.isArray(child)) for (const item of child) eachAt(item, steps, index + 1, visit);
  } else if (step.endsWith('{}')) {
    if (isObject(child)) for (const item of Object.values(child)) eachAt(item, steps, index + 1, visit);
  } else eachAt(child, steps, index + 1, visit);
}
