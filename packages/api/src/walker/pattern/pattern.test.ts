import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { compilePattern, matchesPattern } from './index.ts';

function check(pattern: string, yes: readonly string[], no: readonly string[]): void {
  const program = compilePattern(pattern);
  assert.ok(program, `${pattern} compiles`);
  for (const text of yes) assert.ok(matchesPattern(program, text), `${pattern} matches ${JSON.stringify(text)}`);
  for (const text of no) assert.ok(!matchesPattern(program, text), `${pattern} does not match ${JSON.stringify(text)}`);
}

test('the dialect of Go is understood', () => {
  check('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', ['a', 'a-b', '0'], ['', '-a', 'a-', 'A']);
  check('b+', ['abba'], ['aa', '']);
  check('^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$', ['* * * * */5'], ['* * * *']);
  check('^a{2,3}$', ['aa', 'aaa'], ['a', 'aaaa']);
  check('^a{2,}$', ['aa', 'aaaaa'], ['a']);
  check('^a{2}$', ['aa'], ['a', 'aaa']);
  check('(?i)^ABC$', ['abc', 'aBc'], ['abd']);
  check('^(?P<name>x|y)$', ['x', 'y'], ['z']);
  check('^[^,]*$', ['', 'a b'], ['a,b']);
  check('^[[:alpha:]_-]+$', ['a_-B'], ['1']);
  check('\\bfoo\\b', ['a foo b'], ['afoob']);
  check('^\\p{L}+$', ['äß'], ['1']);
  check('^.$', ['😀', 'a'], ['\n', 'ab']);
  check('^$', [''], ['a']);
  check('a|', ['', 'b'], []);
  check('^\\x41\\.$', ['A.'], ['AB']);
  check('^(?:a*)*$', ['', 'aaa'], ['b']);
});

test('what Go refuses is refused', () => {
  for (const pattern of [
    '(',
    ')',
    '[',
    '*a',
    'a**b(',
    '(?=a)',
    '(?!a)',
    '\\1',
    '[b-a]',
    'a{1001}',
    '\\q',
    `(${'a{1000}'.repeat(10)})`,
  ]) {
    assert.equal(compilePattern(pattern), undefined, pattern);
  }
});

test('patterns that hold a backtracking engine for years answer at once', () => {
  for (const pattern of ['^(a+)+$', '^(a|a)*$', '^(.*a){20}$', '^([a-z]+)*\\d$']) {
    check(pattern, [], [`${'a'.repeat(3000)}!`]);
  }
});

test('it agrees with the platform on plain patterns', () => {
  const atom = fc.constantFrom('a', 'b', '[ab]', '[^a]', '.', '(a|b)', '(ab)', '(a|bc|)');
  const quantified = fc.tuple(atom, fc.constantFrom('', '*', '+', '?', '{1,2}')).map((parts) => parts.join(''));
  const pattern = fc
    .tuple(fc.boolean(), fc.array(quantified, { maxLength: 4 }), fc.boolean())
    .map(([start, parts, end]) => `${start ? '^' : ''}${parts.join('')}${end ? '$' : ''}`);
  const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(pattern, text, (source, input) => {
      const program = compilePattern(source);
      assert.ok(program);
      assert.equal(matchesPattern(program, input), new RegExp(source, 'u').test(input), `${source} on ${input}`);
    }),
    { numRuns: runs(1000) },
  );
});
