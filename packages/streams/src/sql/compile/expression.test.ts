import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BinaryOperator, Expression } from '../ast.ts';
import { parse } from '../parser/parse.ts';
import { printExpression } from '../print.ts';
import { RowError } from '../sql-error.ts';
import { evaluate, evaluateTyped } from '../testing/statements.ts';
import type { Row, Value } from '../value.ts';

/** On a row without schema, where numbers are floats. */
function check(expression: string, expected: Value, row: Row = {}): void {
  assert.deepEqual(evaluate(expression, row), expected, expression);
}

/** On a row with schema: `i` and `j` are bigints. */
function checkTyped(expression: string, expected: Value, row: Row = {}): void {
  assert.deepEqual(evaluateTyped(expression, row), expected, expression);
}

function checkRefused(expression: string, says: RegExp, row: Row = {}): void {
  assert.throws(
    () => evaluate(expression, row),
    (error) => error instanceof RowError && says.test(error.message),
    expression,
  );
}

test('two bigints divide to a whole, anything else to a float', () => {
  check('7 / 2', 3);
  check('-7 / 2', -3);
  check('7.0 / 2', 3.5);
  check('a / 2', 3.5, { a: 7 });
  check('a / b', 3.5, { a: 7, b: 2 });
  checkTyped('i / j', 3, { i: 7, j: 2 });
  checkTyped('f / j', 3.5, { f: 7, j: 2 });
  check('-7 % 3', -1);
  check('a % 2', 1.5, { a: 7.5 });
});

test('division by zero is an error of the row', () => {
  checkRefused('1 / 0', /1 \/ 0: division by zero/);
  checkRefused('a / 0', /division by zero/, { a: 1.5 });
  checkRefused('a % b', /division by zero/, { a: 1, b: 0 });
  check('a / 0', undefined, { a: null });
});

test('bigints are exact to 64 bits, and an error beyond', () => {
  checkTyped('i + 1', 9007199254740992n, { i: 9007199254740991 });
  checkTyped('i * j', 9007199254740993n, { i: 3002399751580331, j: 3 });
  checkTyped('i - 1', 9007199254740991, { i: 9007199254740992n });
  checkTyped('i + j', 9223372036854775807n, { i: 9223372036854775806n, j: 1 });
  assert.throws(() => evaluateTyped('i + 1', { i: 9223372036854775807n }), /i \+ 1: 9223372036854775808 does not fit/);
  checkTyped('i & j', 4294967296, { i: 4294967297, j: 4294967296 });
  checkTyped('i | 1', 9007199254740993n, { i: 9007199254740992n });
  checkTyped('-i', -5, { i: 5 });
  assert.throws(() => evaluateTyped('i + 1', { i: 1.5 }), /a bigint is needed, found the number 1.5/);
});

test('a comparison with NULL is false, a calculation with NULL is NULL', () => {
  for (const operator of ['=', '!=', '<', '<=', '>', '>=']) {
    check(`n ${operator} 1`, false);
    check(`1 ${operator} n`, false);
    check(`n ${operator} m`, false);
  }
  for (const operator of ['+', '-', '*', '/', '%', '&', '|', '^']) check(`n ${operator} 1`, undefined);
  check('-n', undefined);
  check('n BETWEEN 1 AND 2', false);
  check('n NOT BETWEEN 1 AND 2', false);
  check('n LIKE "a"', false);
  check('n NOT LIKE "a"', false);
  check('n IN (1, 2)', false);
  check('n NOT IN (1, 2)', false);
  check('n IS NULL', true);
  check('a IS NOT NULL', true, { a: 0 });
});

test('NULL is no fulfilled condition', () => {
  check('n AND true', false);
  check('n OR true', true);
  check('NOT n', true);
  check('CASE WHEN n THEN 1 ELSE 2 END', 2);
  check('false AND a > 1', false, { a: 'not asked' });
  check('true OR a > 1', true, { a: 'not asked' });
});

test('types are compared as the table of the reference says', () => {
  check('a = b', true, { a: 1, b: 1n });
  check('a < b', true, { a: 'a', b: 'b' });
  check('a = true', true, { a: true });
  check('a > 5', true, { a: new Date(6) });
  check('a < "2026-01-01T00:00:00Z"', true, { a: new Date(6) });
  check('a = b', true, { a: new Date(6), b: new Date(6) });
  checkRefused('a > 1', /a > 1: the string "x" cannot be compared with the number 1/, { a: 'x' });
  checkRefused('a > true', /cannot be compared/, { a: true });
  checkRefused('a = 1', /an array cannot be compared/, { a: [1] });
  checkRefused('a < "soon"', /a datetime cannot be compared/, { a: new Date(6) });
  checkRefused('a + 1', /the string "x" and the number 1 cannot be added/, { a: 'x' });
  checkRefused('a + 1', /true and the number 1/, { a: true });
  checkRefused('NOT a', /a condition is true or false, found the number 1/, { a: 1 });
});

test('LIKE knows %, _ and the backslash', () => {
  for (const [text, pattern, expected] of [
    ['abc', 'abc', true],
    ['abc', 'a%', true],
    ['abc', '%c', true],
    ['abc', '%b%', true],
    ['abc', 'a_c', true],
    ['abc', '_', false],
    ['abc', '%', true],
    ['', '%', true],
    ['a%c', 'a\\\\%c', true],
    ['abc', 'a\\\\%c', false],
    ['aXbXc', 'a%b%c', true],
    ['a\nb', 'a%b', true],
    ['中文', '中_', true],
    ['ABC', 'abc', false],
  ] as const) {
    check(`t LIKE "${pattern}"`, expected, { t: text });
    check(`t NOT LIKE "${pattern}"`, !expected, { t: text });
    check(`t LIKE p`, expected, { t: text, p: pattern.replaceAll('\\\\', '\\') });
  }
});

test('LIKE takes no longer for a pattern with many %', () => {
  check(`t LIKE "${'%a'.repeat(30)}b"`, false, { t: 'a'.repeat(20_000) });
});

test('IN takes values and arrays', () => {
  check('a IN (1, 2)', true, { a: 2 });
  check('a IN ("x", "y")', true, { a: 'y' });
  check('a NOT IN ("x", "y")', true, { a: 'z' });
  check('a IN l', true, { a: 2, l: [1, 2] });
  check('a NOT IN l', true, { a: 3, l: [1, 2] });
  checkRefused('a IN l', /an array is needed/, { a: 3, l: 5 });
});

test('structs and arrays are taken apart', () => {
  const row: Row = {
    name: { first: 'Tom', last: 'Anderson' },
    children: ['Sara', 'Alex', 'Jack'],
    friends: [{ first: 'Dale' }, { first: 'Roger' }],
    followers: { Group1: [{ first: 'John' }, { first: 'Ken' }] },
    ops: { functionA: { numArgs: 2 } },
    x: 0,
    y: 2,
  };
  check('name->first', 'Tom', row);
  check('demo.name.first', 'Tom', row);
  check('demo.name->first', 'Tom', row);
  check('ops->functionA.numArgs', 2, row);
  check('children[0]', 'Sara', row);
  check('children[-1]', 'Jack', row);
  check('friends[1]->first', 'Roger', row);
  check('children[0:1]', ['Sara'], row);
  check('children[1:-1]', ['Alex'], row);
  check('children[:2]', ['Sara', 'Alex'], row);
  check('children[:]', ['Sara', 'Alex', 'Jack'], row);
  check('children[x + 1:y]', ['Alex'], row);
  check('followers->Group1[:1]->first', ['John'], row);
  check('name["last"]', 'Anderson', row);
  check('name->none', undefined, row);
  check('none->a.b[0]', undefined, row);
  checkRefused('children[9]', /there is no element 9 among 3/, row);
  checkRefused('x->a', /a struct is needed, found the number 0/, row);
  checkRefused('children["a"]', /an index is a whole number/, row);
});

test('declared datetimes and bytes are read from what JSON has', () => {
  checkTyped('at', new Date(5), { at: 5 });
  checkTyped('at > "1970-01-01"', true, { at: '1970-01-02T00:00:00Z' });
  checkTyped('hour(at)', 3, { at: '1970-01-02T03:00:00Z' });
  checkTyped('raw', new Uint8Array([104, 105]), { raw: 'aGk=' });
  assert.throws(() => evaluateTyped('at', { at: 'soon' }), RowError);
});

test('the longest expression is planned and evaluated', () => {
  check(`${'a + '.repeat(500)}a`, 501, { a: 1 });
  check(`${'a = 2 OR '.repeat(249)} a = 1`, true, { a: 1 });
  check(`a${'->b'.repeat(500)}`, undefined, { a: {} });
});

test('functions of the user are called, and what they throw is an error of the row', () => {
  check('twice(a) + 1', 7, { a: 3 });
});

// A second, plain way to the same: no types ahead of time, no closures, all whole numbers as exact integers.

interface Naive {
  readonly value: Value;
  readonly isWhole: boolean;
}

const WHOLE = new Set(['i', 'j']);

function naive(expression: Expression, row: Row): Naive {
  switch (expression.kind) {
    case 'literal':
      return { value: expression.value ?? undefined, isWhole: expression.type === 'bigint' };
    case 'name':
      return { value: row[expression.name], isWhole: WHOLE.has(expression.name) };
    case 'unary': {
      const { value, isWhole } = naive(expression.operand, row);
      if (expression.operator === 'not') return { value: value !== true, isWhole: false };
      if (value === undefined) return { value, isWhole };
      return { value: isWhole ? within64(-BigInt(value as number)) : -Number(value), isWhole };
    }
    case 'binary':
      return naiveBinary(expression.operator, expression.left, expression.right, row);
    case 'between': {
      const [value, low, high] = [expression.operand, expression.low, expression.high].map(
        (part) => naive(part, row).value,
      );
      if (expression.isNegated)
        return { value: naiveCompare('<', value, low) || naiveCompare('>', value, high), isWhole: false };
      return { value: naiveCompare('>=', value, low) && naiveCompare('<=', value, high), isWhole: false };
    }
    case 'case': {
      const branch = expression.branches.find(({ when }) => naive(when, row).value === true);
      const chosen = branch?.result ?? expression.otherwise;
      return chosen === undefined ? { value: undefined, isWhole: true } : naive(chosen, row);
    }
    default:
      throw new Error(expression.kind);
  }
}

function naiveBinary(operator: BinaryOperator, left: Expression, right: Expression, row: Row): Naive {
  const a = naive(left, row);
  if (operator === 'and' && a.value !== true) return { value: false, isWhole: false };
  if (operator === 'or' && a.value === true) return { value: true, isWhole: false };
  const b = naive(right, row);
  if (operator === 'and' || operator === 'or') return { value: b.value === true, isWhole: false };
  if ('<=>=!='.includes(operator)) return { value: naiveCompare(operator, a.value, b.value), isWhole: false };
  const isWhole = a.isWhole && b.isWhole;
  if (a.value === undefined || b.value === undefined) return { value: undefined, isWhole };
  if ((operator === '/' || operator === '%') && Number(b.value) === 0) throw new RowError('zero');
  if (!isWhole) return { value: floats[operator]?.(Number(a.value), Number(b.value)), isWhole };
  return { value: within64(wholes[operator]?.(BigInt(a.value as number), BigInt(b.value as number)) ?? 0n), isWhole };
}

function within64(exact: bigint): Value {
  if (exact !== BigInt.asIntN(64, exact)) throw new RowError('overflow');
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}

const floats: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

const wholes: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

function naiveCompare(operator: string, a: Value, b: Value): boolean {
  if (a === undefined || b === undefined) return false;
  const [x, y] = [a as number, b as number];
  const holds: Readonly<Record<string, boolean>> = {
    '<': x < y,
    '<=': x <= y,
    '>': x > y,
    '>=': x >= y,
    '=': !(x < y || x > y),
    '!=': x < y || x > y,
  };
  return holds[operator] ?? false;
}

const span = { start: 0, end: 0 };
const column = (name: string): Expression => ({ kind: 'name', name, span });

const { condition } = fc.letrec<{ amount: Expression; condition: Expression }>((tie) => {
  const [amount, condition] = [tie('amount'), tie('condition')];
  const binary = (operators: readonly BinaryOperator[], side: fc.Arbitrary<Expression>) =>
    fc
      .record({ operator: fc.constantFrom(...operators), left: side, right: side })
      .map((parts): Expression => ({ kind: 'binary', ...parts, span }));
  return {
    amount: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('i', 'j', 'f').map(column),
      fc.integer({ min: 0, max: 5 }).map((value): Expression => ({ kind: 'literal', value, type: 'bigint', span })),
      fc.constantFrom(0.5, 2.5).map((value): Expression => ({ kind: 'literal', value, type: 'float', span })),
      binary(['+', '-', '*', '/', '%'], amount),
      amount.map((operand): Expression => ({ kind: 'unary', operator: '-', operand, span })),
      fc.record({ when: condition, result: fc.constant(column('f')), otherwise: fc.constant(column('f')) }).map(
        ({ when, result, otherwise }): Expression => ({
          kind: 'case',
          branches: [{ when, result }],
          otherwise,
          span,
        }),
      ),
    ),
    condition: fc.oneof(
      { depthSize: 'small' },
      binary(['=', '!=', '<', '<=', '>', '>='], amount),
      binary(['and', 'or'], condition),
      condition.map((operand): Expression => ({ kind: 'unary', operator: 'not', operand, span })),
      fc
        .record({ operand: amount, low: amount, high: amount, isNegated: fc.boolean() })
        .map((parts): Expression => ({ kind: 'between', ...parts, span })),
    ),
  };
});

const bigint = fc.oneof(
  fc.integer({ min: -10, max: 10 }),
  fc.constantFrom(2 ** 53 - 1, 2 ** 62, undefined).map((value) => (value === 2 ** 62 ? 2n ** 62n : value)),
);
const rows = fc.record({
  i: bigint,
  j: bigint,
  f: fc.option(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { nil: undefined }),
});

function outcome(run: () => Value): Value {
  try {
    return run();
  } catch (error) {
    assert.ok(error instanceof RowError, String(error));
    return 'refused';
  }
}

test('compiled expressions agree with a plain interpreter', () => {
  fc.assert(
    fc.property(condition, rows, (expression, row) => {
      const text = printExpression(expression);
      const [item] = parse(`SELECT ${text} FROM s`).items;
      assert.ok(item?.kind === 'field');
      const expected = outcome(() => naive(item.expression, row as Row).value);
      assert.deepEqual(
        outcome(() => evaluateTyped(text, row as Row)),
        expected,
        text,
      );
    }),
    { numRuns: 3000 },
  );
});
