/** Bound expressions to closures. */

import { RowError } from '../sql-error.ts';
import type { Evaluate, Predicate, Value } from '../value.ts';
import { describe, isArray, isNull } from '../values.ts';
import { column, element, member, meta, openColumn, range, wholeRow } from './access.ts';
import type { Bound, BoundBinary, BoundCase, BoundIn, BoundLike, BoundSlot } from './bound.ts';
import { call, userCall } from './calls.ts';
import { likeMatcher } from './like.ts';
import { arithmetic, between, both, comparison, either, equality, negation, outside, truth } from './operators.ts';

export interface CompileOptions {
  /** How many sources the plan has: rows come bare from one, in tuples from more. */
  readonly width: number;
  /** Where a projection keeps what it has evaluated so far, by column. */
  readonly outputs?: readonly Value[];
}

export function compile(bound: Bound, options: CompileOptions): Evaluate {
  const { says } = bound;
  switch (bound.kind) {
    case 'literal': {
      const { value } = bound;
      return () => value;
    }
    case 'column':
      return column(bound.source, bound.name, bound.type, options.width);
    case 'open':
      return openColumn(bound.name);
    case 'row':
      return wholeRow(options.width, bound.source);
    case 'output':
      return outputReader(options.outputs ?? [], bound.slot);
    case 'slot':
      return slotReader(bound);
    case 'meta':
      return meta(bound.source, bound.path);
    case 'unary':
      if (bound.operator === '-') return negation(compile(bound.operand, options), bound.type.kind === 'bigint', says);
      return compilePredicate(bound, options);
    case 'binary':
      return compileBinary(bound, options);
    case 'between':
    case 'like':
    case 'in':
    case 'isNull':
      return compilePredicate(bound, options);
    case 'case':
      return compileCase(bound, options);
    case 'call': {
      const args = bound.args.map((arg) => compile(arg, options));
      return call(bound.of, bound.call, args);
    }
    case 'userCall': {
      const args = bound.args.map((arg) => compile(arg, options));
      return userCall(bound.of, args, says);
    }
    case 'member':
      return member(compile(bound.object, options), bound.name, says);
    case 'index':
      return element(compile(bound.object, options), compile(bound.index, options), says);
    case 'slice':
      return range(
        compile(bound.object, options),
        bound.from && compile(bound.from, options),
        bound.to && compile(bound.to, options),
        says,
      );
  }
}

/** A condition: NULL is false. */
export function compilePredicate(bound: Bound, options: CompileOptions): Predicate {
  switch (bound.kind) {
    case 'binary':
      return compileCondition(bound, options);
    case 'unary':
      if (bound.operator === 'not') return negated(compilePredicate(bound.operand, options));
      break;
    case 'between': {
      const bounds = { low: compile(bound.low, options), high: compile(bound.high, options) };
      return (bound.isNegated ? outside : between)(compile(bound.operand, options), bounds, bound.says);
    }
    case 'like':
      return compileLike(bound, options);
    case 'in':
      return compileIn(bound, options);
    case 'isNull': {
      const operand = compile(bound.operand, options);
      const { isNegated } = bound;
      return (input, context) => isNull(operand(input, context)) !== isNegated;
    }
    default:
  }
  return truth(compile(bound, options), bound.says);
}

function negated(predicate: Predicate): Predicate {
  return (input, context) => !predicate(input, context);
}

function compileBinary(bound: BoundBinary, options: CompileOptions): Evaluate {
  const { operator, left, right, type, says } = bound;
  if (type.kind === 'boolean') return compileCondition(bound, options);
  return arithmetic(operator, compile(left, options), compile(right, options), type.kind === 'bigint', says);
}

function compileCondition(bound: BoundBinary, options: CompileOptions): Predicate {
  const { operator, left, right, says } = bound;
  switch (operator) {
    case 'and':
      return both(compilePredicate(left, options), compilePredicate(right, options));
    case 'or':
      return either(compilePredicate(left, options), compilePredicate(right, options));
    case '=':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(operator, compile(left, options), compile(right, options), says);
    default:
      return truth(
        arithmetic(operator, compile(left, options), compile(right, options), bound.type.kind === 'bigint', says),
        says,
      );
  }
}

function compileLike({ operand, pattern, isNegated, says }: BoundLike, options: CompileOptions): Predicate {
  const text = compile(operand, options);
  if (pattern.kind === 'literal' && typeof pattern.value === 'string') {
    const matches = likeMatcher(pattern.value);
    return (input, context) => {
      const value = text(input, context);
      return typeof value === 'string' ? matches(value) !== isNegated : noText(value, says);
    };
  }
  const patternOf = compile(pattern, options);
  return (input, context) => {
    const value = text(input, context);
    const wanted = patternOf(input, context);
    if (typeof value !== 'string' || typeof wanted !== 'string') return noText(value, says) || noText(wanted, says);
    return likeMatcher(wanted)(value) !== isNegated;
  };
}

function noText(value: Value, says: string): boolean {
  if (isNull(value) || typeof value === 'string') return false;
  throw new RowError(`${says}: a string is needed, found ${describe(value)}`);
}

function compileIn({ operand, choices, isNegated, says }: BoundIn, options: CompileOptions): Predicate {
  const value = compile(operand, options);
  const isEqual = equality(says);
  if ('kind' in choices) {
    const list = compile(choices, options);
    return (input, context) => {
      const wanted = value(input, context);
      const items = list(input, context);
      if (isNull(wanted) || isNull(items)) return false;
      if (!isArray(items)) throw new RowError(`${says}: an array is needed, found ${describe(items)}`);
      return items.some((item) => isEqual(wanted, item)) !== isNegated;
    };
  }
  const simple = choices.flatMap((choice) =>
    choice.kind === 'literal' && typeof choice.value === 'string' ? [choice.value] : [],
  );
  const known = new Set<Value>(simple.length === choices.length ? simple : []);
  const each = choices.map((choice) => compile(choice, options));
  return (input, context) => {
    const wanted = value(input, context);
    if (isNull(wanted)) return false;
    if (known.size > 0 && typeof wanted === 'string') return known.has(wanted) !== isNegated;
    return each.some((choice) => isEqual(wanted, choice(input, context))) !== isNegated;
  };
}

function compileCase({ subject, branches, otherwise, says }: BoundCase, options: CompileOptions): Evaluate {
  const results = branches.map(({ result }) => compile(result, options));
  const last = otherwise === undefined ? () => undefined : compile(otherwise, options);
  const tests =
    subject === undefined
      ? branches.map(({ when }) => compilePredicate(when, options))
      : equalities(subject, branches, says, options);
  return (input, context) => {
    for (let index = 0; index < tests.length; index++) {
      if (tests[index]?.(input, context)) return results[index]?.(input, context);
    }
    return last(input, context);
  };
}

function equalities(
  subject: Bound,
  branches: BoundCase['branches'],
  says: string,
  options: CompileOptions,
): Predicate[] {
  const value = compile(subject, options);
  const isEqual = equality(says);
  return branches.map(({ when }) => {
    const wanted = compile(when, options);
    return (input, context) => isEqual(value(input, context), wanted(input, context));
  });
}

function outputReader(outputs: readonly Value[], slot: number): Evaluate {
  return () => outputs[slot];
}

function slotReader({ of, slot }: BoundSlot): Evaluate {
  return of === 'analytic' ? (_, context) => context.analytic[slot] : (_, context) => context.aggregates[slot];
}
