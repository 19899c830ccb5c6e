/** Which types operators take, and what comes of them. */
import type { BinaryOperator } from '../ast.ts';
import { BIGINT, BOOLEAN, type DataType, FLOAT, isNumeric, isOpen, NULL } from '../data-type.ts';

/** The type of the result; undefined when the operator does not take these. */
export function binaryType(operator: BinaryOperator, left: DataType, right: DataType): DataType | undefined {
  switch (operator) {
    case 'and':
    case 'or':
      return isBoolean(left) && isBoolean(right) ? BOOLEAN : undefined;
    case '=':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return isComparable(left, right, operator) ? BOOLEAN : undefined;
    case '&':
    case '|':
    case '^':
      return isWhole(left) && isWhole(right) ? BIGINT : undefined;
    default:
      return arithmeticType(left, right);
  }
}

function arithmeticType(left: DataType, right: DataType): DataType | undefined {
  if (left.kind === 'null' || right.kind === 'null') return NULL;
  if (!(isNumeric(left) || isOpen(left)) || !(isNumeric(right) || isOpen(right))) return undefined;
  return left.kind === 'bigint' && right.kind === 'bigint' ? BIGINT : FLOAT;
}

export function isBoolean(type: DataType): boolean {
  return type.kind === 'boolean' || isOpen(type);
}

function isWhole(type: DataType): boolean {
  return type.kind === 'bigint' || isOpen(type);
}

export function isComparable(left: DataType, right: DataType, operator: BinaryOperator = '='): boolean {
  if (isOpen(left) || isOpen(right)) return true;
  if (isNumeric(left) && isNumeric(right)) return true;
  if (left.kind === 'datetime' || right.kind === 'datetime') return [left, right].every(isTimeLike);
  if (left.kind === 'boolean') return right.kind === 'boolean' && (operator === '=' || operator === '!=');
  return left.kind === 'string' && right.kind === 'string';
}

function isTimeLike(type: DataType): boolean {
  return type.kind === 'datetime' || type.kind === 'string' || isNumeric(type);
}

/** What to write so that two types go together. */
export function castFix(operator: BinaryOperator, left: DataType, right: DataType): string | undefined {
  if (operator === '+' && (left.kind === 'string' || right.kind === 'string'))
    return 'write concat(a, b) to join strings';
  if (left.kind === 'datetime' || right.kind === 'datetime') {
    return operator === '+' || operator === '-' ? 'use date_calc, or cast the datetime to "bigint"' : undefined;
  }
  if (operator === '&' || operator === '|' || operator === '^') return 'cast both to "bigint"';
  if (left.kind === 'string' && isNumeric(right)) return 'write cast(value, "float") around the string';
  if (isNumeric(left) && right.kind === 'string') return 'write cast(value, "float") around the string';
  return undefined;
}
