/**
 * Arithmetic of bigints, which have 64 bits. Up to 2^53 they are numbers; beyond, what the fast way cannot hold exactly is done
 * again with exact integers. Results that do not fit into 64 bits are errors, never wrong numbers.
 */
import { RowError } from '../sql-error.ts';

type Whole = number | bigint;

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

export function add(a: Whole, b: Whole): Whole {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return narrow(exact(a) + exact(b));
}

export function subtract(a: Whole, b: Whole): Whole {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return narrow(exact(a) - exact(b));
}

export function multiply(a: Whole, b: Whole): Whole {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product + 0;
  }
  return narrow(exact(a) * exact(b));
}

/** Towards zero. */
export function divide(a: Whole, b: Whole): Whole {
  if (Number(b) === 0) throw new RowError('division by zero');
  if (Number.isSafeInteger(a) && Number.isSafeInteger(b))
    return ((a as number) - ((a as number) % (b as number))) / (b as number) + 0;
  return narrow(exact(a) / exact(b));
}

/** With the sign of `a`. */
export function remainder(a: Whole, b: Whole): Whole {
  if (Number(b) === 0) throw new RowError('division by zero');
  if (Number.isSafeInteger(a) && Number.isSafeInteger(b)) return ((a as number) % (b as number)) + 0;
  return narrow(exact(a) % exact(b));
}

export function negate(a: Whole): Whole {
  return subtract(0, a);
}

export function bits(operator: '&' | '|' | '^', a: Whole, b: Whole): Whole {
  if (isSmall(a) && isSmall(b)) return operator === '&' ? a & b : operator === '|' ? a | b : a ^ b;
  const [left, right] = [exact(a), exact(b)];
  const result = operator === '&' ? left & right : operator === '|' ? left | right : left ^ right;
  return narrow(BigInt.asIntN(64, result));
}

/** The operators of the platform work on 32 bits. */
function isSmall(value: Whole): value is number {
  return typeof value === 'number' && (value | 0) === value;
}

function exact(value: Whole): bigint {
  if (typeof value === 'bigint') return value;
  if (!Number.isInteger(value)) throw new RowError(`a bigint is needed, found the number ${value}`);
  return BigInt(value);
}

/** A number as soon as it can be one. */
export function narrow(value: bigint): Whole {
  if (value < MIN || value > MAX) throw new RowError(`${value} does not fit into a bigint`);
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value;
}
