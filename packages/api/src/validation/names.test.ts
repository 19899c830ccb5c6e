import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkConfigKey,
  checkDns1035Label,
  checkDnsLabel,
  checkDnsSubdomain,
  checkEnvName,
  checkLabelValue,
  checkPathSegment,
  checkPortName,
  checkQualifiedName,
} from './names.ts';

function check(find: (value: string) => string[], valid: readonly string[], invalid: readonly string[]): void {
  for (const value of valid) assert.deepEqual(find(value), [], `${find.name} ${value}`);
  for (const value of invalid) assert.notEqual(find(value).length, 0, `${find.name} ${value}`);
}

test('every format takes what it should and nothing else', () => {
  check(checkDnsLabel, ['a', 'a-b', '1a', 'a'.repeat(63)], ['', '-a', 'a-', 'A', 'a.b', 'a_b', 'a'.repeat(64), 'a\n']);
  check(
    checkDnsSubdomain,
    ['a', 'a.b', 'a-b.c1', 'a'.repeat(253)],
    ['', '.a', 'a.', 'a..b', 'A', 'a/b', 'a'.repeat(254)],
  );
  check(checkDns1035Label, ['a', 'a1-b'], ['1a', '', 'a.b']);
  check(checkPathSegment, ['system:node', 'a b', 'x'], ['.', '..', 'a/b', 'a%2f']);
  check(
    checkQualifiedName,
    ['a', 'A.b_c-d', 'example.com/a', 'x/Y'],
    ['', '/', 'a/', '/a', 'a/b/c', 'A.com/x', '-a', 'a'.repeat(64), 'a b'],
  );
  check(checkLabelValue, ['', 'a', 'A_b.c-1'], ['-', 'a b', 'a'.repeat(64), 'a/', '$(id)', 'a;b']);
  check(checkConfigKey, ['a', '.dockerconfigjson', 'A_b-c.d', 'x'], ['', '.', '..', '..a', 'a/b', 'a b']);
  check(checkEnvName, ['A', 'a.b', 'x y'], ['', 'a=b', 'é', 'a\n']);
  check(checkPortName, ['http', 'a1', '8080-x'], ['', '80', 'a--b', '-a', 'a-', 'much-too-long-name', 'A']);
});
