import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../status.ts';
import { applyJsonPatch, MAX_JSON_PATCH_OPERATIONS } from './json-patch.ts';

function check(document: unknown, operations: unknown, expected: unknown): void {
  const before = structuredClone(document);
  if (typeof expected === 'number') {
    assert.throws(
      () => applyJsonPatch(document, operations),
      (error) => error instanceof StatusError && error.code === expected,
    );
  } else assert.deepEqual(applyJsonPatch(document, operations), expected);
  assert.deepEqual(document, before);
}

test('add, replace and remove reach members and items', () => {
  check({ a: [1, 2] }, [{ op: 'add', path: '/a/1', value: 9 }], { a: [1, 9, 2] });
  check({ a: [1, 2] }, [{ op: 'add', path: '/a/-', value: 3 }], { a: [1, 2, 3] });
  check({ a: { b: 1 } }, [{ op: 'replace', path: '/a/b', value: null }], { a: { b: null } });
  check(
    { a: { 'x/y': 1, 'm~n': 2 } },
    [
      { op: 'remove', path: '/a/x~1y' },
      { op: 'remove', path: '/a/m~0n' },
    ],
    { a: {} },
  );
  check({ a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 });
});

test('move and copy take what is there, and a later change of one leaves the other', () => {
  check({ a: { b: 1 } }, [{ op: 'move', from: '/a/b', path: '/c' }], { a: {}, c: 1 });
  check(
    { a: { b: 1 } },
    [
      { op: 'add', path: '/a/c', value: 2 },
      { op: 'copy', from: '/a', path: '/d' },
      { op: 'replace', path: '/d/b', value: 5 },
    ],
    { a: { b: 1, c: 2 }, d: { b: 5, c: 2 } },
  );
  check({ a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/b' }], 422);
});

test('a failed test refuses the whole patch', () => {
  check(
    { a: { rv: '1' } },
    [
      { op: 'test', path: '/a/rv', value: '1' },
      { op: 'add', path: '/b', value: 1 },
    ],
    { a: { rv: '1' }, b: 1 },
  );
  check({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }], 422);
  check({}, [{ op: 'test', path: '/a', value: null }], {});
});

test('what does not fit is 422, what is no patch is 400', () => {
  check({}, [{ op: 'remove', path: '/a' }], 422);
  check({}, [{ op: 'replace', path: '/a', value: 1 }], 422);
  check({}, [{ op: 'add', path: '/a/b', value: 1 }], 422);
  check({ a: [] }, [{ op: 'add', path: '/a/1', value: 1 }], 422);
  check({ a: [] }, [{ op: 'add', path: '/a/01', value: 1 }], 422);
  check({}, [{ op: 'add', path: 'a', value: 1 }], 422);
  check({}, [{ op: 'add', path: '/a' }], 422);
  check({}, [{ op: 'frobnicate', path: '/a' }], 422);
  check({}, { op: 'remove', path: '/a' }, 400);
  check({}, [null], 400);
});

test('the number of operations and what copies add up to are bounded', () => {
  check({}, Array(MAX_JSON_PATCH_OPERATIONS + 1).fill({ op: 'test', path: '/a', value: null }), 413);
  check(
    { a: 'x'.repeat(1024) },
    Array.from({ length: 64 }, (_, i) => ({ op: 'copy', from: '', path: `/c${i}` })),
    422,
  );
});

test('prototype keys are ordinary keys', () => {
  const patched = applyJsonPatch(
    {},
    JSON.parse('[{"op":"add","path":"/__proto__","value":{"polluted":true}}]'),
  ) as object;
  assert.equal(Object.hasOwn(patched, '__proto__'), true);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  check({}, [{ op: 'remove', path: '/constructor' }], 422);
  check({}, [{ op: 'add', path: '/__proto__/polluted', value: true }], 422);
});

test('ten thousand insertions into one list stay fast', () => {
  const operations = Array.from({ length: 10_000 }, () => ({ op: 'add', path: '/a/0', value: 1 }));
  assert.equal(applyJsonPatch<{ a: number[] }>({ a: [] }, operations).a.length, 10_000);
});
