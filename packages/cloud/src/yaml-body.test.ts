import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_YAML_CHARACTERS, parseYamlBody } from './yaml-body.ts';

function check(text: string, expected: unknown): void {
  if (expected instanceof RegExp) assert.throws(() => parseYamlBody(text), expected);
  else assert.deepEqual(parseYamlBody(text), expected);
}

test('a manifest is read', () => check('a: 1\nb:\n- x\n- y: null\n', { a: 1, b: ['x', { y: null }] }));

test('a key that stands twice is refused', () => check('a: 1\nb: 2\na: 3\n', /stands twice/));

test('keys are compared in time that grows with their number, not with its square', () => {
  const started = performance.now();
  const keys = Array.from({ length: 20_000 }, (_, index) => `key-${index}: v`);
  assert.equal(Object.keys(parseYamlBody(keys.join('\n')) as object).length, 20_000);
  assert.ok(performance.now() - started < 3000);
});

test('what is too long or too deep is refused before it is parsed', () => {
  check(`a: ${'x'.repeat(MAX_YAML_CHARACTERS)}`, /longer than/);
  check(`${'- '.repeat(10_000)}x`, /too deep/);
  check(`${'? '.repeat(10_000)}x`, /too deep/);
});

test('aliases that multiply are refused', () => {
  const lines = Array.from({ length: 20 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}*a${i}]`);
  check(`a0: &a0 x\n${lines.join('\n')}`, /alias/i);
});

test('a prototype is a key like any other', () => {
  const value = parseYamlBody('__proto__: {polluted: true}\n') as object;
  assert.deepEqual(Object.keys(value), ['__proto__']);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});
