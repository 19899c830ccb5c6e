/** Mathematical functions. */

import { bits, remainder } from '../compile/integers.ts';
import { BIGINT, FLOAT, STRING } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import { describe } from '../values.ts';
import { integer, number, numeric, optional, string } from './parameters.ts';
import { type ScalarFunction, sameAsFirst, scalar, synonym } from './specification.ts';

/** A number of one number; what is no number, such as the root of a negative one, is NULL. */
function ofOne(name: string, summary: string, call: (x: number) => number): ScalarFunction {
  return scalar('math', name, [number('x')], FLOAT, summary, (x) => finite(call(x)));
}

function finite(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

/** Rounded in one direction, to a bigint. */
function whole(name: string, summary: string, call: (x: number) => number): ScalarFunction {
  return scalar('math', name, [numeric('x')], BIGINT, summary, (x) => (typeof x === 'bigint' ? x : call(x) + 0));
}

/** Halves go away from zero, as they do in schools. */
function round(x: number): number {
  return Math.sign(x) * Math.round(Math.abs(x));
}

/** By its decimal form: 1.005 is 1.01 with two decimals, though as a double it is a little less than it looks. */
function roundTo(x: number, digits: number): number {
  const scale = 10 ** Math.max(digits, 0);
  const scaled = Math.abs(x) * scale;
  // There is nothing behind so many digits.
  if (!(scaled < Number.MAX_SAFE_INTEGER)) return x;
  return (Math.sign(x) * Math.round(Number(scaled.toPrecision(EXACT_DIGITS)))) / scale;
}

/** Every decimal number of so many digits is itself again after it was a double. */
const EXACT_DIGITS = 15;

const CEIL = whole('ceil', 'The smallest bigint that is not below x.', Math.ceil);

const POWER = scalar(
  'math',
  'power',
  [number('base'), number('exponent')],
  FLOAT,
  'The base to the power of the exponent.',
  (base, exponent) => finite(base ** exponent),
);

export const MATH: readonly ScalarFunction[] = [
  scalar('math', 'abs', [numeric('x')], sameAsFirst, 'The number without its sign.', (x) => (x < 0 ? -x : x)),
  ofOne('acos', 'The angle in radians whose cosine is x.', Math.acos),
  ofOne('asin', 'The angle in radians whose sine is x.', Math.asin),
  ofOne('atan', 'The angle in radians whose tangent is x.', Math.atan),
  scalar(
    'math',
    'atan2',
    [number('y'), number('x')],
    FLOAT,
    'The angle in radians between the x axis and the point (x, y).',
    (y, x) => Math.atan2(y, x),
  ),
  scalar('math', 'bitand', [numeric('a'), numeric('b')], BIGINT, 'The bits that are set in both.', (a, b) =>
    bits('&', a, b),
  ),
  scalar(
    'math',
    'bitor',
    [numeric('a'), numeric('b')],
    BIGINT,
    'The bits that are set in one of them or both.',
    (a, b) => bits('|', a, b),
  ),
  scalar(
    'math',
    'bitxor',
    [numeric('a'), numeric('b')],
    BIGINT,
    'The bits that are set in exactly one of them.',
    (a, b) => bits('^', a, b),
  ),
  scalar('math', 'bitnot', [numeric('a')], BIGINT, 'All bits turned over, as of a number of 64 bits.', (a) =>
    bits('^', a, -1),
  ),
  CEIL,
  synonym(CEIL, 'ceiling'),
  scalar(
    'math',
    'conv',
    [string('text'), integer('from'), integer('to')],
    STRING,
    'The whole number that the text stands for to the base `from`, written to the base `to`; bases are from 2 to 36.',
    converted,
  ),
  ofOne('cos', 'The cosine of an angle in radians.', Math.cos),
  ofOne('cosh', 'The hyperbolic cosine.', Math.cosh),
  ofOne('cot', 'The cotangent of an angle in radians.', (x) => 1 / Math.tan(x)),
  ofOne('degrees', 'Radians as degrees.', (x) => (x * 180) / Math.PI),
  ofOne('exp', 'e to the power of x.', Math.exp),
  whole('floor', 'The greatest bigint that is not above x.', Math.floor),
  ofOne('ln', 'The natural logarithm; NULL where there is none.', (x) => (x > 0 ? Math.log(x) : Number.NaN)),
  scalar(
    'math',
    'log',
    [number('x'), optional(number('y'))],
    FLOAT,
    'The decimal logarithm of x, or with two arguments the logarithm of y to the base x; NULL where there is none.',
    (x, y) => logarithm(y === undefined ? 10 : x, y ?? x),
  ),
  scalar(
    'math',
    'mod',
    [numeric('a'), numeric('b')],
    sameAsFirst,
    'What is left of a when it is divided by b.',
    (a, b) =>
      Number.isInteger(Number(a)) && Number.isInteger(Number(b)) ? remainder(a, b) : modulo(Number(a), Number(b)),
  ),
  scalar('math', 'pi', [], FLOAT, 'The number π.', () => Math.PI),
  POWER,
  synonym(POWER, 'pow'),
  ofOne('radians', 'Degrees as radians.', (x) => (x * Math.PI) / 180),
  scalar('math', 'rand', [], FLOAT, 'A random number from 0 to below 1.', ({ random }) => random()),
  scalar(
    'math',
    'round',
    [numeric('x'), optional(integer('digits'))],
    ({ length }) => (length > 1 ? FLOAT : BIGINT),
    'The nearest bigint, or the nearest number with so many decimals; halves go away from zero.',
    (x, digits) => {
      if (digits !== undefined) return roundTo(Number(x), digits);
      return typeof x === 'bigint' ? x : round(x) + 0;
    },
  ),
  scalar('math', 'sign', [numeric('x')], BIGINT, '1, 0 or -1, as the number is above, at or below zero.', (x) =>
    x > 0 ? 1 : x < 0 ? -1 : 0,
  ),
  ofOne('sin', 'The sine of an angle in radians.', Math.sin),
  ofOne('sinh', 'The hyperbolic sine.', Math.sinh),
  ofOne('sqrt', 'The square root; NULL of a negative number.', Math.sqrt),
  ofOne('tan', 'The tangent of an angle in radians.', Math.tan),
  ofOne('tanh', 'The hyperbolic tangent.', Math.tanh),
];

function logarithm(base: number, x: number): number | undefined {
  if (x <= 0 || base <= 1) return undefined;
  return base === 10 ? Math.log10(x) : Math.log(x) / Math.log(base);
}

function modulo(a: number, b: number): number {
  if (b === 0) throw new RowError('division by zero');
  return a % b;
}

const MOST_BITS = 64;

function converted(text: string, from: number, to: number): string {
  for (const base of [from, to])
    if (base < 2 || base > 36) throw new RowError(`conv: a base is from 2 to 36, found ${base}`);
  const [, sign = '', digits = ''] = /^([+-]?)([0-9a-z]{1,64})$/i.exec(text.trim()) ?? [];
  let value = 0n;
  for (const digit of digits) {
    const worth = Number.parseInt(digit, 36);
    if (worth >= from) return noNumber(text, from);
    value = value * BigInt(from) + BigInt(worth);
  }
  if (digits === '') return noNumber(text, from);
  if (value >= 1n << BigInt(MOST_BITS)) throw new RowError(`conv: ${describe(text)} is more than ${MOST_BITS} bits`);
  return (sign === '-' ? -value : value).toString(to);
}

function noNumber(text: string, base: number): never {
  throw new RowError(`conv: ${describe(text)} is no number to the base ${base}`);
}
