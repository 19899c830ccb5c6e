import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEnvFile } from './env-file.ts';

function check(text: string, expected: Record<string, string> | 'invalid'): void {
  const found = parseEnvFile(text);
  assert.deepEqual(found === 'invalid' ? found : Object.fromEntries(found), expected);
}

test('each line is a variable, with or without quotes', () =>
  check("A=1\nB='two words'\n", { A: '1', B: 'two words' }));

test('comments and empty lines say nothing', () => check("# A=1\n\n  \nA='1' # one\n", { A: '1' }));

test('a quoted value may have lines, and anything but a quote', () =>
  check("A='x\n# y = $z\n'\nB=1", { A: 'x\n# y = $z\n', B: '1' }));

test('the last of two wins', () => check('A=1\nA=2', { A: '2' }));

test('what is no variable spoils the file', () => {
  check('A', 'invalid');
  check('A=1\n=2', 'invalid');
  check("A='open", 'invalid');
  check("A='x' y", 'invalid');
  check("A=x'y'", 'invalid');
});

test('whatever has no quote comes back as it was written', () => {
  const values = fc.dictionary(
    fc.stringMatching(/^[A-Z_][A-Z0-9_.-]*$/),
    fc.string().filter((value) => !value.includes("'")),
  );
  fc.assert(
    fc.property(values, (written) => {
      const text = Object.entries(written).map(([name, value]) => `${name}='${value}'`);
      check(text.join('\n'), { ...written });
    }),
  );
});
