import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_YAML_CHARACTERS, parseYamlBody } from './yaml-body.ts';

function check(text: string, expected: unknown): void {
  if (expected instanceof RegExp) assert.throws(() => parseYamlBody(text), expected);
  else assert.deepEqual(parseYamlBody(text).value, expected);
}

test('a manifest is read', () => check('a: 1\nb:\n- x\n- y: null\n', { a: 1, b: ['x', { y: null }] }));

test('of keys that stand twice the last counts, and each is told with its line', () => {
  const { value, problems } = parseYamlBody('a: 1\nb: {c: 1, c: 2}\na: 3\n');
  assert.deepEqual(value, { a: 3, b: { c: 2 } });
  const lines = ['  line 3: key "a" already set in map', '  line 2: key "c" already set in map'];
  assert.deepEqual(problems, [`yaml: unmarshal errors:\n${lines.join('\n')}`]);
});

/** Microseconds of the processor: comparing each key with every other takes 30 s, whatever else the machine does. */
const MOST_WORK = 10_000_000;

test('keys are compared in time that grows with their number, not with its square', () => {
  const keys = Array.from({ length: 48_000 }, (_, index) => `k${index.toString(36)}: v`);
  const before = process.cpuUsage();
  assert.equal(Object.keys(parseYamlBody(keys.join('\n')).value as object).length, keys.length);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < MOST_WORK, `${user + system} µs`);
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
  const value = parseYamlBody('__proto__: {polluted: true}\n').value as object;
  assert.deepEqual(Object.keys(value), ['__proto__']);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});
