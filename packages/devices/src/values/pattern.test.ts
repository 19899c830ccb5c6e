import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePattern, patternProblem } from './pattern.ts';

function check(pattern: string, text: string, value: string | undefined): void {
  assert.equal(compilePattern(pattern).valueIn(text), value);
  assert.equal(compilePattern(pattern).test(text), value !== undefined);
}

test('a value is the group of this name, else the first group, else all that matches', () => {
  check('P=(?<unit>x)?(?<value>[0-9.]+)', 'P=12.5', '12.5');
  check('(?<unit>x)=(?<value>[0-9]+)?', 'x=', 'x');
  check('version (\\S+)', 'a version 3.1', '3.1');
  check('(a)?b', 'b', 'b');
  check('[0-9.]+ kW', '12.5 kW', '12.5 kW');
  check('^=(.*)$', '=', '');
  check('Q=', 'P=1', undefined);
});

test('no text keeps a pattern busy for longer than its length is worth', () => {
  // Backtracking would take more years over this than there are.
  for (const pattern of ['(a+)+$', '(a|a)+$', '(.*)*x$']) check(pattern, `${'a'.repeat(5000)}b`, undefined);
});

test('what is no pattern is said so', () => {
  for (const text of ['(', '(?=a)', '(?!a)', '(?<=a)b', '(a)\\1', 'a{1001}', '(a{1,40}){1,40}'])
    assert.match(
      patternProblem(text) ?? '',
      /^(?:is no regular expression as RE2 knows them: |repeats too much)/,
      text,
    );
  assert.equal(patternProblem('^a+$'), undefined);
  assert.equal(patternProblem(undefined), undefined);
});
