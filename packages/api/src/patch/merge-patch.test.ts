import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applyMergePatch } from './merge-patch.ts';

function check(document: unknown, patch: unknown, expected: unknown): void {
  const before = structuredClone(document);
  assert.deepEqual(applyMergePatch(document, patch), expected);
  assert.deepEqual(document, before);
}

test('the examples of RFC 7396 hold', () => {
  check({ a: 'b' }, { a: 'c' }, { a: 'c' });
  check({ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' });
  check({ a: 'b', b: 'c' }, { a: null }, { b: 'c' });
  check({ a: ['b'] }, { a: 'c' }, { a: 'c' });
  check({ a: 'c' }, { a: ['b'] }, { a: ['b'] });
  check({ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } });
  check({ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] });
  check({}, { a: { bb: { ccc: null } } }, { a: { bb: {} } });
});

test('untouched parts are shared, and a patch that changes nothing gives the document itself', () => {
  const document = { a: { b: 1 }, c: { d: 2 } };
  assert.equal(applyMergePatch(document, { a: { b: 1 }, x: null }), document);
  assert.equal(applyMergePatch(document, { a: { b: 2 } }).c, document.c);
});

test('a patch applied twice is a patch applied once', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.dictionary(fc.string(), fc.jsonValue()),
      (document, patch) => {
        const once = applyMergePatch(document, patch);
        assert.deepEqual(applyMergePatch(once, patch), once);
      },
    ),
  );
});

test('anything but an object is refused', () => {
  assert.throws(() => applyMergePatch({}, null), { message: /merge patch must be a JSON object/ });
  assert.throws(() => applyMergePatch({}, [1]), { message: /merge patch must be a JSON object/ });
});
