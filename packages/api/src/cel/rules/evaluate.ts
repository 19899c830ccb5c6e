/** Walks an object and its schema, and holds each value against the rules that stand beside it. */
import { Optional } from '@marcbachmann/cel-js';
import type { RuleResult } from '../../crd/custom-rules.ts';
import { isObject, jsonEqual } from '../../json.ts';
import type { FieldError, Schema } from '../../schema.ts';
import { duplicate, forbidden, invalid, required } from '../../walker/field-errors.ts';
import { formatPath, type Path } from '../../walker/path.ts';
import { EXPRESSION_COST_LIMIT } from '../meter.ts';
import { escapedName, toCel } from '../values.ts';
import type { Rule } from './rule.ts';

/** Of all rules of an object together, as the API server bounds them. */
const OBJECT_COST_LIMIT = 10_000_000;

/** Longer messages of expressions are not taken. */
const MAX_MESSAGE_LENGTH = 5 * 1024;

/** Rules, compiled when they are first needed. */
export interface RuledSchema {
  rulesOf(schema: Schema): readonly Rule[];
  /** Whether this or anything below has rules. */
  hasRules(schema: Schema): boolean;
}

/** A value with what it was, each as JSON and as the language sees it. */
interface Subject {
  readonly schema: Schema;
  readonly path: Path | undefined;
  readonly value: unknown;
  readonly self: unknown;
  readonly old: { readonly value: unknown; readonly self: unknown } | undefined;
}

interface Walk extends RuledSchema {
  readonly faults: FieldError[];
  readonly warnings: string[];
  budget: number;
}

export function evaluateRules(ruled: RuledSchema, schema: Schema, object: object, old: object | undefined): RuleResult {
  const walk: Walk = { ...ruled, faults: [], warnings: [], budget: OBJECT_COST_LIMIT };
  const before = old === undefined ? undefined : { value: old, self: toCel(old, schema) };
  visit(walk, { schema, path: undefined, value: object, self: toCel(object, schema), old: before });
  return walk;
}

function visit(walk: Walk, subject: Subject): void {
  if (walk.budget < 0 || !walk.hasRules(subject.schema)) return;
  for (const rule of walk.rulesOf(subject.schema)) {
    evaluate(walk, subject, rule);
    if (walk.budget < 0) return;
  }
  const { value } = subject;
  if (Array.isArray(value)) visitItems(walk, subject, value);
  else if (isObject(value)) visitFields(walk, subject, value);
}

function visitFields(walk: Walk, subject: Subject, value: Readonly<Record<string, unknown>>): void {
  const { schema, path, self, old } = subject;
  for (const key of Object.keys(value)) {
    const isProperty = schema.properties !== undefined && Object.hasOwn(schema.properties, key);
    const child = isProperty ? schema.properties?.[key] : schema.additionalProperties;
    if (child === undefined) continue;
    const name = isProperty ? escapedName(key) : key;
    // A field that no expression can name may still have rules of its own.
    const within = (whole: unknown, from: unknown) =>
      name === undefined ? toCel(memberOf(from, key), child) : memberOf(whole, name);
    const had = old !== undefined && isObject(old.value) && Object.hasOwn(old.value, key);
    visit(walk, {
      schema: child,
      path: { parent: path, step: key, isMapKey: !isProperty },
      value: value[key],
      self: within(self, value),
      old: had ? { value: memberOf(old.value, key), self: within(old.self, old.value) } : undefined,
    });
  }
}

function visitItems(walk: Walk, { schema, path, self, old }: Subject, items: readonly unknown[]): void {
  const { items: child, listType, listMapKeys = [] } = schema;
  if (child === undefined) return;
  const before = listType === 'map' && Array.isArray(old?.value) ? byKeys(old.value, listMapKeys) : undefined;
  for (const [step, value] of items.entries()) {
    const index = before?.get(keysOf(value, listMapKeys));
    const was =
      index === undefined ? undefined : { value: memberOf(old?.value, index), self: memberOf(old?.self, index) };
    visit(walk, { schema: child, path: { parent: path, step }, value, self: memberOf(self, step), old: was });
  }
}

function byKeys(items: readonly unknown[], keys: readonly string[]): Map<string, number> {
  return new Map(items.map((item, index) => [keysOf(item, keys), index]));
}

function keysOf(item: unknown, keys: readonly string[]): string {
  return JSON.stringify(keys.map((key) => memberOf(item, key) ?? null));
}

function memberOf(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string | number, unknown>>)[key];
}

function evaluate(walk: Walk, subject: Subject, rule: Rule): void {
  const { self, old } = subject;
  // Null stands where nothing was said; there is nothing to hold against a rule.
  if (self === null || self === undefined) return;
  if (rule.isTransition && old === undefined && !rule.isOldOptional) return;
  const oldSelf = rule.isOldOptional ? Optional.of(old?.self) : old?.self;
  const variables = { self, ...(oldSelf === undefined ? {} : { oldSelf }) };
  const outcome = rule.program.evaluate(variables, Math.min(EXPRESSION_COST_LIMIT, walk.budget));
  if (outcome.type === 'error') {
    fail(walk, subject, rule, outcome);
    return;
  }
  walk.budget -= outcome.cost;
  if (outcome.value === true) return;
  const fault = faultOf(subject, rule, messageOf(walk, rule, variables));
  const isOldFault = !rule.isTransition && old !== undefined && jsonEqual(old.value, subject.value);
  if (isOldFault) walk.warnings.push(fault.message);
  else walk.faults.push(fault);
}

function fail(
  walk: Walk,
  { path, value }: Subject,
  { text }: Rule,
  { message, isOverBudget }: { readonly message: string; readonly isOverBudget: boolean },
): void {
  const say = (detail: string) => walk.faults.push(invalid(formatPath(path), shown(value), detail));
  if (isOverBudget) {
    say(
      walk.budget < EXPRESSION_COST_LIMIT
        ? 'validation failed due to running out of cost budget, no further validation rules will be run'
        : `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`,
    );
    walk.budget = -1;
  } else if (message.startsWith('no such overload'))
    say(
      `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`,
    );
  else say(`${message} evaluating rule: ${text}`);
}

/** What the rule's expression says of this object, or what its author wrote for all. */
function messageOf(
  walk: Walk,
  { messageProgram, message }: Rule,
  variables: Readonly<Record<string, unknown>>,
): string {
  if (messageProgram === undefined) return message;
  const outcome = messageProgram.evaluate(variables, Math.min(EXPRESSION_COST_LIMIT, walk.budget));
  if (outcome.type === 'error') return message;
  walk.budget -= outcome.cost;
  const text = typeof outcome.value === 'string' ? outcome.value.trim() : '';
  return text === '' || text.length > MAX_MESSAGE_LENGTH || /[\n\r]/.test(text) ? message : text;
}

function faultOf({ path, value }: Subject, { reason, fieldPath }: Rule, message: string): FieldError {
  const at = formatPath(fieldPath.reduce<Path | undefined>((parent, step) => ({ parent, step }), path));
  switch (reason) {
    case 'FieldValueForbidden':
      return forbidden(at, message);
    case 'FieldValueRequired':
      return required(at, message);
    case 'FieldValueDuplicate':
      return duplicate(at, shown(value), message);
    case 'FieldValueInvalid':
      return invalid(at, shown(value), message);
  }
}

/** Objects and lists are named by their type; they would fill the answer. */
function shown(value: unknown): unknown {
  if (Array.isArray(value)) return 'array';
  return isObject(value) ? 'object' : value;
}
