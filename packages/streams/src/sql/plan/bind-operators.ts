/** Operators: whether their sides fit, and what type comes of it. */
import type { Between, Binary, Case, Expression, In, IsNull, Like, Span, Unary } from '../ast.ts';
import type { Bound } from '../compile/bound.ts';
import { BOOLEAN, type DataType, FLOAT, isNumeric, isOpen, NULL, showType, unify } from '../data-type.ts';
import { Power, powerOf } from '../parser/expressions.ts';
import { printExpression } from '../print.ts';
import type { Binder, Clause } from './binder.ts';
import { binaryType, castFix, isBoolean, isComparable } from './types.ts';

export function bindUnary(binder: Binder, expression: Unary, clause: Clause): Bound {
  const operand = binder.bind(expression.operand, clause);
  const { operator } = expression;
  const { type } = operand;
  const isFitting = operator === 'not' ? isBoolean(type) : isNumeric(type) || isOpen(type);
  if (!isFitting) {
    const problem =
      operator === 'not'
        ? `NOT is for conditions, this is of type ${showType(type)}`
        : `a ${showType(type)} cannot be negative`;
    throw binder.error(expression.operand.span, problem);
  }
  const result = operator === 'not' ? BOOLEAN : type.kind === 'any' ? FLOAT : type;
  return { kind: 'unary', operator, operand, type: result, says: printExpression(expression) };
}

export function bindBinary(binder: Binder, expression: Binary, clause: Clause): Bound {
  const { operator } = expression;
  const [left, right] = bindSides(binder, expression.left, expression.right, clause);
  if (powerOf(operator) === Power.comparison && [left, right].some(isNullLiteral)) {
    throw binder.error(expression.span, 'a comparison with NULL is never true', 'write IS NULL or IS NOT NULL');
  }
  const type = binaryType(operator, left.type, right.type);
  if (type === undefined) {
    const problem = `${operator.toUpperCase()} does not go with ${showType(left.type)} and ${showType(right.type)}`;
    throw binder.error(expression.span, problem, castFix(operator, left.type, right.type));
  }
  return { kind: 'binary', operator, left, right, type, says: printExpression(expression) };
}

/** Two values that are compared: a word that is no column beside a string is a string without its quotes. */
function bindSides(binder: Binder, left: Expression, right: Expression, clause: Clause): [Bound, Bound] {
  if (isUnknown(binder, left) && !isUnknown(binder, right)) {
    const [other, word] = bindSides(binder, right, left, clause);
    return [word, other];
  }
  const first = binder.bind(left, clause);
  const mayBeText = first.type.kind === 'string' && first.kind !== 'literal';
  if (
    right.kind === 'name' &&
    mayBeText &&
    isUnknown(binder, right) &&
    binder.scope.nearColumn(right.name) === undefined
  ) {
    throw binder.error(right.span, `there is no column ${right.name}`, `write "${right.name}" if it is a string`);
  }
  return [first, binder.bind(right, clause)];
}

function isUnknown(binder: Binder, expression: Expression): boolean {
  if (expression.kind !== 'name') return false;
  const { name, span } = expression;
  return !binder.scope.aliases.has(name) && binder.scope.column(name, span, false) === undefined;
}

export function bindBetween(binder: Binder, expression: Between, clause: Clause): Bound {
  const { isNegated } = expression;
  const operand = binder.bind(expression.operand, clause);
  const low = binder.bind(expression.low, clause);
  const high = binder.bind(expression.high, clause);
  for (const [bound, part] of [
    [low, expression.low],
    [high, expression.high],
  ] as const) {
    mustCompare(binder, operand.type, bound.type, part.span);
  }
  return { kind: 'between', operand, low, high, isNegated, type: BOOLEAN, says: printExpression(expression) };
}

export function bindLike(binder: Binder, expression: Like, clause: Clause): Bound {
  const { isNegated } = expression;
  const operand = binder.bind(expression.operand, clause);
  const pattern = binder.bind(expression.pattern, clause);
  for (const [bound, part] of [
    [operand, expression.operand],
    [pattern, expression.pattern],
  ] as const) {
    if (bound.type.kind === 'string' || isOpen(bound.type)) continue;
    throw binder.error(
      part.span,
      `LIKE is for strings, this is of type ${showType(bound.type)}`,
      'write cast(value, "string")',
    );
  }
  return { kind: 'like', operand, pattern, isNegated, type: BOOLEAN, says: printExpression(expression) };
}

export function bindIn(binder: Binder, expression: In, clause: Clause): Bound {
  const { choices, isNegated } = expression;
  const says = printExpression(expression);
  const operand = binder.bind(expression.operand, clause);
  if ('kind' in choices) {
    const list = binder.bind(choices, clause);
    if (list.type.kind !== 'array' && !isOpen(list.type)) {
      throw binder.error(
        choices.span,
        `IN takes an array, this is of type ${showType(list.type)}`,
        'write parentheses around values',
      );
    }
    return { kind: 'in', operand, choices: list, isNegated, type: BOOLEAN, says };
  }
  const each = choices.map((choice) => {
    const [, bound] = bindSides(binder, expression.operand, choice, clause);
    mustCompare(binder, operand.type, bound.type, choice.span);
    return bound;
  });
  return { kind: 'in', operand, choices: each, isNegated, type: BOOLEAN, says };
}

function mustCompare(binder: Binder, left: DataType, right: DataType, span: Span): void {
  if (isComparable(left, right)) return;
  const problem = `${showType(left)} cannot be compared with ${showType(right)}`;
  throw binder.error(span, problem, castFix('=', left, right));
}

export function bindIsNull(binder: Binder, expression: IsNull, clause: Clause): Bound {
  const operand = binder.bind(expression.operand, clause);
  return {
    kind: 'isNull',
    operand,
    isNegated: expression.isNegated,
    type: BOOLEAN,
    says: printExpression(expression),
  };
}

export function bindCase(binder: Binder, expression: Case, clause: Clause): Bound {
  const subject = expression.subject && binder.bind(expression.subject, clause);
  const branches = expression.branches.map(({ when, result }) => {
    const bound =
      subject === undefined ? binder.condition(when, { ...clause, name: 'WHEN' }) : binder.bind(when, clause);
    if (subject !== undefined) mustCompare(binder, subject.type, bound.type, when.span);
    return { when: bound, result: binder.bind(result, clause) };
  });
  const otherwise = expression.otherwise && binder.bind(expression.otherwise, clause);
  const types = [...branches.map(({ result }) => result.type), ...(otherwise === undefined ? [] : [otherwise.type])];
  const type = types.reduce(unify, NULL);
  return { kind: 'case', subject, branches, otherwise, type, says: printExpression(expression) };
}

function isNullLiteral(bound: Bound): boolean {
  return bound.kind === 'literal' && bound.type.kind === 'null';
}
