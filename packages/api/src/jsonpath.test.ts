import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileJsonPath } from './jsonpath.ts';

const object = {
  metadata: { name: 'a', annotations: { 'example.com/x': '1' } },
  spec: {
    replicas: 3,
    list: [
      { n: 1, t: 'a' },
      { n: 2, t: 'b' },
      { n: 3, t: 'a' },
    ],
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
  },
};

function check(path: string, expected: unknown[] | undefined): void {
  assert.deepEqual(compileJsonPath(path)?.(object), expected, path);
}

test('fields, with and without braces, dollar and dot', () => {
  check('.metadata.name', ['a']);
  check('{.metadata.name}', ['a']);
  check('$.metadata.name', ['a']);
  check('metadata.name', ['a']);
  check('.metadata.missing', []);
  check('.spec', [object.spec]);
});

test('keys with dots are escaped or quoted', () => {
  check(String.raw`.metadata.annotations.example\.com/x`, ['1']);
  check(".metadata.annotations['example.com/x']", ['1']);
  check('.metadata["name"]', ['a']);
});

test('lists', () => {
  check('.spec.list[0].n', [1]);
  check('.spec.list[-1].n', [3]);
  check('.spec.list[0,2].n', [1, 3]);
  check('.spec.list[1:].n', [2, 3]);
  check('.spec.list[::2].n', [1, 3]);
  check('.spec.list[*].t', ['a', 'b', 'a']);
  check('.spec.list[9].n', []);
  check('..type', ['Ready', 'Other']);
});

test('filters', () => {
  check('.status.conditions[?(@.type=="Ready")].status', ['True']);
  check(".status.conditions[?(@.type != 'Ready')].status", ['False']);
  check('.spec.list[?(@.n>=2)].n', [2, 3]);
  check('.spec.list[?(@.t)].n', [1, 2, 3]);
  check('.spec.list[?(@.missing)].n', []);
  check('.spec.list[?(@.t == "a]")].n', []);
});

test('inherited members are not there, and nonsense is no path', () => {
  check('.constructor', []);
  check('.__proto__', []);
  check('.a[', undefined);
  check('.a[x]', undefined);
  check('..', undefined);
  check('.spec.list[?(@.n > )]', undefined);
});
