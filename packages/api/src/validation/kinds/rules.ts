/** The rules of one kind, and the rule that many share. */
import { at, type JsonObject, jsonEqual } from '../../json.ts';
import { invalid } from '../../walker/field-errors.ts';
import type { Faults } from './checks.ts';

export interface KindRules {
  /** Of every version of an object. */
  readonly check: (faults: Faults, object: JsonObject) => void;
  readonly create?: (faults: Faults, object: JsonObject) => void;
  /** Of a change: what may not. */
  readonly update?: UpdateRule;
}

export type UpdateRule = (faults: Faults, object: JsonObject, old: JsonObject, subresource: string) => void;

/** Fields that never change. */
export function immutable(...paths: readonly string[]): (faults: Faults, object: JsonObject, old: JsonObject) => void {
  const fields = paths.map((path) => ({ path, steps: path.split('.') }));
  return (faults, object, old) => {
    for (const { path, steps } of fields) {
      const value = at(object, ...steps);
      if (!jsonEqual(value, at(old, ...steps))) faults.push(invalid(path, value ?? null, 'field is immutable'));
    }
  };
}
