import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { compileExpression, ExpressionError, type Operand } from './expression.ts';

function check(text: string, variables: Readonly<Record<string, Operand>>, expected: Operand): void {
  const names = Object.keys(variables);
  assert.deepEqual(compileExpression(text, names).evaluate(Object.values(variables)), expected);
}

function refused(text: string, words: RegExp): void {
  assert.throws(
    () => compileExpression(text, ['x']),
    (error) => error instanceof ExpressionError && words.test(error.message),
  );
}

test('arithmetic, with the usual precedence', () => {
  check('x * 0.1 + 40', { x: 10 }, 41);
  check('-(x - 32) * 5 / 9', { x: 50 }, -10);
  check('2 ** 3 ** 2', {}, 512);
  check('x & 15 | 16', { x: 0xff }, 31);
});

test('conditions', () => {
  check('x > 3 && running', { x: 4, running: true }, true);
  check("mode == 'auto' ? 1 : 0", { mode: 'auto' }, 1);
  check('!running', { running: false }, true);
  check('running == 1', { running: true }, true);
});

test('functions', () => {
  check('max(1, x, 3) + round(2.6) + clamp(9, 0, 5)', { x: 7 }, 15);
  check('sqrt(abs(x))', { x: -16 }, 4);
});

test('it says what it uses', () => assert.deepEqual(compileExpression('a + b * a', ['a', 'b', 'c']).uses, ['a', 'b']));

test('what is not arithmetic is refused with the reason', () => {
  refused('y', /no variable y/);
  refused('x.constructor', /only/);
  refused('constructor(1)', /calls constructor/);
  refused('eval("1")', /calls eval/);
  refused('x = 1', /not an expression|operator/);
  refused('x; x', /only/);
  refused('[x]', /only/);
  refused('this', /only/);
  refused('abs(1, 2)', /takes 1/);
  refused('x +', /not an expression/);
  refused('', /only/);
  refused('x'.repeat(2000), /longer/);
});

test('any text compiles and evaluates, or is refused with an ExpressionError', () =>
  fc.assert(
    fc.property(fc.stringMatching(/^[x0-9+*/()&|<>=!?:.,a-z' -]{0,60}$/), (text) => {
      try {
        compileExpression(text, ['x']).evaluate([1]);
      } catch (error) {
        assert.ok(error instanceof ExpressionError, String(error));
      }
    }),
    { numRuns: runs(300) },
  ));

test('nesting as deep as the length allows is no matter', () => {
  check(`${'('.repeat(500)}1${')'.repeat(500)}`, {}, 1);
  check(`${'-'.repeat(1)}${'(-'.repeat(300)}1${')'.repeat(300)}`, {}, -1);
});
