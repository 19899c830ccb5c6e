/** Operators as closures. Each first tries what nearly every row has, two numbers or two strings, and asks only then what else it is. */
import type { BinaryOperator } from '../ast.ts';
import { RowError } from '../sql-error.ts';
import type { EvalContext, Evaluate, Predicate, Value } from '../value.ts';
import { describe, isNull } from '../values.ts';
import { add, bits, divide, multiply, negate, remainder, subtract } from './integers.ts';

type Numbers = (left: number, right: number) => number;
type Wholes = (left: number | bigint, right: number | bigint) => number | bigint;

/** Of two bigints. */
const WHOLE: Readonly<Record<string, Wholes>> = {
  '+': add,
  '-': subtract,
  '*': multiply,
  '/': divide,
  '%': remainder,
  '&': (left, right) => bits('&', left, right),
  '|': (left, right) => bits('|', left, right),
  '^': (left, right) => bits('^', left, right),
};

const VERBS: Readonly<Record<string, string>> = {
  '+': 'added',
  '-': 'subtracted',
  '*': 'multiplied',
  '/': 'divided',
  '%': 'divided',
  '&': 'joined bit by bit',
  '|': 'joined bit by bit',
  '^': 'joined bit by bit',
};

export function arithmetic(
  operator: BinaryOperator,
  left: Evaluate,
  right: Evaluate,
  isWhole: boolean,
  says: string,
): Evaluate {
  const wholes = WHOLE[operator];
  if (wholes === undefined) throw new RangeError(operator);
  const areBits = operator === '&' || operator === '|' || operator === '^';
  return isWhole || areBits
    ? wholeArithmetic(operator, left, right, wholes, says)
    : floatArithmetic(operator, left, right, says);
}

function wholeArithmetic(
  operator: BinaryOperator,
  left: Evaluate,
  right: Evaluate,
  wholes: Wholes,
  says: string,
): Evaluate {
  return (input, context) => {
    const a = left(input, context);
    const b = right(input, context);
    if ((typeof a === 'number' || typeof a === 'bigint') && (typeof b === 'number' || typeof b === 'bigint')) {
      return located(says, wholes, a, b);
    }
    return noNumbers(operator, a, b, says);
  };
}

/** Errors of exact arithmetic say which expression it was. */
function located(says: string, wholes: Wholes, a: number | bigint, b: number | bigint): number | bigint {
  try {
    return wholes(a, b);
  } catch (cause) {
    if (cause instanceof RowError) throw new RowError(`${says}: ${cause.message}`, { cause });
    throw cause;
  }
}

function floatArithmetic(operator: BinaryOperator, left: Evaluate, right: Evaluate, says: string): Evaluate {
  const slow = (a: Value, b: Value, numbers: Numbers): Value => {
    const isNumber = typeof a === 'number' || typeof a === 'bigint';
    if (isNumber && (typeof b === 'number' || typeof b === 'bigint')) return numbers(Number(a), Number(b));
    return noNumbers(operator, a, b, says);
  };
  // A closure each, so that the operation is in it and not behind a call.
  switch (operator) {
    case '+':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return typeof a === 'number' && typeof b === 'number' ? a + b : slow(a, b, (x, y) => x + y);
      };
    case '-':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return typeof a === 'number' && typeof b === 'number' ? a - b : slow(a, b, (x, y) => x - y);
      };
    case '*':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return typeof a === 'number' && typeof b === 'number' ? a * b : slow(a, b, (x, y) => x * y);
      };
    default: {
      const numbers: Numbers = operator === '/' ? (x, y) => x / notZero(y, says) : (x, y) => x % notZero(y, says);
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return typeof a === 'number' && typeof b === 'number' ? numbers(a, b) : slow(a, b, numbers);
      };
    }
  }
}

function notZero(divisor: number, says: string): number {
  if (divisor === 0) throw new RowError(`${says}: division by zero`);
  return divisor;
}

function noNumbers(operator: BinaryOperator, a: Value, b: Value, says: string): undefined {
  if (isNull(a) || isNull(b)) return undefined;
  throw new RowError(`${says}: ${describe(a)} and ${describe(b)} cannot be ${VERBS[operator] ?? 'combined'}`);
}

export function negation(operand: Evaluate, isWhole: boolean, says: string): Evaluate {
  return (input, context) => {
    const value = operand(input, context);
    if (typeof value === 'number') return isWhole ? 0 - value : -value;
    if (typeof value === 'bigint') return located(says, (_, whole) => negate(whole), 0, value);
    if (isNull(value)) return undefined;
    throw new RowError(`${says}: ${describe(value)} cannot be negative`);
  };
}

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** Anything compared with NULL is false. */
export function comparison(operator: Comparison, left: Evaluate, right: Evaluate, says: string): Predicate {
  const slow = slowly(operator, says);
  // A closure each, as above.
  switch (operator) {
    case '=':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return areSimple(a, b) ? a === b : slow(a, b);
      };
    case '!=':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return areSimple(a, b) ? a !== b : slow(a, b);
      };
    case '<':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return areNumbers(a, b) ? (a as number) < (b as number) : slow(a, b);
      };
    case '<=':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return areNumbers(a, b) ? (a as number) <= (b as number) : slow(a, b);
      };
    case '>':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return areNumbers(a, b) ? (a as number) > (b as number) : slow(a, b);
      };
    case '>=':
      return (input, context) => {
        const a = left(input, context);
        const b = right(input, context);
        return areNumbers(a, b) ? (a as number) >= (b as number) : slow(a, b);
      };
  }
}

function areNumbers(a: Value, b: Value): boolean {
  return typeof a === 'number' && typeof b === 'number';
}

function areSimple(a: Value, b: Value): boolean {
  return (typeof a === 'number' && typeof b === 'number') || (typeof a === 'string' && typeof b === 'string');
}

function slowly(operator: Comparison, says: string): (a: Value, b: Value) => boolean {
  return (a, b) => {
    if (isNull(a) || isNull(b)) return false;
    return holds(operator, order(a, b, operator, says));
  };
}

/** Below, at or above zero; NaN is neither. */
function order(a: NonNullable<Value>, b: NonNullable<Value>, operator: Comparison, says: string): number {
  const [left, right] = comparable(a, b, operator, says);
  return left < right ? -1 : left > right ? 1 : left <= right ? 0 : Number.NaN;
}

type Comparable = number | bigint | string;

function comparable(
  a: NonNullable<Value>,
  b: NonNullable<Value>,
  operator: Comparison,
  says: string,
): [Comparable, Comparable] {
  if (a instanceof Date || b instanceof Date) return comparableTimes(a, b, says);
  if (typeof a === 'string' && typeof b === 'string') return [a, b];
  const isNumber = typeof a === 'number' || typeof a === 'bigint';
  if (isNumber && (typeof b === 'number' || typeof b === 'bigint')) return [a, b];
  const isEquality = operator === '=' || operator === '!=';
  if (isEquality && typeof a === 'boolean' && typeof b === 'boolean') return [Number(a), Number(b)];
  throw incomparable(a, b, says);
}

/** A datetime is compared with milliseconds, or with text that is a time. */
function comparableTimes(a: NonNullable<Value>, b: NonNullable<Value>, says: string): [Comparable, Comparable] {
  const [left, right] = [a, b].map((value) => {
    if (value instanceof Date) return value.getTime();
    if (typeof value === 'number' || typeof value === 'bigint') return value;
    return typeof value === 'string' ? Date.parse(value) : undefined;
  });
  const isPossible = left !== undefined && right !== undefined && !Number.isNaN(left) && !Number.isNaN(right);
  if (!isPossible) throw incomparable(a, b, says);
  return [left, right];
}

function incomparable(a: Value, b: Value, says: string): RowError {
  return new RowError(`${says}: ${describe(a)} cannot be compared with ${describe(b)}`);
}

function holds(operator: Comparison, order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** Two values as `=` has it, for IN and CASE. */
export function equality(says: string): (a: Value, b: Value) => boolean {
  const slow = slowly('=', says);
  return (a, b) => (areSimple(a, b) ? a === b : slow(a, b));
}

export interface Bounds {
  readonly low: Evaluate;
  readonly high: Evaluate;
}

/** Both bounds belong to it. */
export function between(operand: Evaluate, { low, high }: Bounds, says: string): Predicate {
  const isAtLeast = slowly('>=', says);
  const isAtMost = slowly('<=', says);
  return (input, context) => {
    const value = operand(input, context);
    const least = low(input, context);
    const most = high(input, context);
    if (typeof value === 'number' && typeof least === 'number' && typeof most === 'number') {
      return value >= least && value <= most;
    }
    return isAtLeast(value, least) && isAtMost(value, most);
  };
}

/** Below the one or above the other bound; neither of NULL. */
export function outside(operand: Evaluate, { low, high }: Bounds, says: string): Predicate {
  const isBelow = slowly('<', says);
  const isAbove = slowly('>', says);
  return (input, context) => {
    const value = operand(input, context);
    const least = low(input, context);
    const most = high(input, context);
    return isBelow(value, least) || isAbove(value, most);
  };
}

/** A value as a condition: NULL is false. */
export function truth(evaluate: Evaluate, says: string): Predicate {
  return (input, context) => {
    const value = evaluate(input, context);
    return typeof value === 'boolean' ? value : noBoolean(value, says);
  };
}

function noBoolean(value: Value, says: string): boolean {
  if (isNull(value)) return false;
  throw new RowError(`${says}: a condition is true or false, found ${describe(value)}`);
}

export function both(left: Predicate, right: Predicate): Predicate {
  return (input, context: EvalContext) => left(input, context) && right(input, context);
}

export function either(left: Predicate, right: Predicate): Predicate {
  return (input, context: EvalContext) => left(input, context) || right(input, context);
}
