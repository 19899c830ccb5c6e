/** What evaluates the rules of custom resources (`x-kubernetes-validations`). The language is large, so whoever serves brings it. */
import type { FieldError, Schema } from '../schema.ts';

export interface CustomRules {
  /** What is wrong with the rules of a schema; `path` is where the schema stands in its definition. */
  check(schema: Schema, path: string): readonly FieldError[];
  /** Whether a schema has any rules. */
  concerns(schema: Schema): boolean;
  /** Holds an object against the rules of its schema, and against what it was before. */
  validate(object: object, old: object | undefined, schema: Schema): RuleResult;
}

export interface RuleResult {
  readonly faults: readonly FieldError[];
  /** Of rules that the object breaks where it broke them before. */
  readonly warnings: readonly string[];
}
