import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf, isSameDigest, withoutPair, withPair } from './digest.ts';
import { asPartial, decodePosition, encodePosition } from './position.ts';

test('a position says again what was put in, in less than 100 bytes', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.option(fc.maxSafeNat(), { nil: undefined }),
      fc.boolean(),
      (revision, included, isWhole) => {
        const digest = digestOf([['key', String(revision)]]);
        const position = { epoch: randomUUID(), revision, digest, isWhole, included };
        const bytes = encodePosition(position);
        assert.ok(bytes.length < 100);
        assert.deepEqual(decodePosition(bytes), position);
        assert.deepEqual(decodePosition(asPartial(bytes)), { ...position, isWhole: false });
      },
    ),
  );
});

test('what is no position of ours is none', () => {
  for (const bytes of [new Uint8Array(0), new Uint8Array(46), new Uint8Array(47).fill(1)]) {
    assert.equal(decodePosition(bytes), undefined);
  }
});

const pairs = fc.uniqueArray(fc.tuple(fc.string(), fc.string()), {
  selector: ([key]) => key,
  maxLength: 20,
  size: 'max',
});

test('a digest does not depend on the order, and takes pairs out again', () => {
  fc.assert(
    fc.property(pairs, fc.string(), fc.string(), (held, key, version) => {
      const digest = digestOf(held);
      assert.deepEqual(digestOf(held.toReversed()), digest);
      assert.deepEqual(withoutPair(withPair(digest, key, version), key, version), digest);
      assert.ok(!isSameDigest(withPair(digest, key, version), digest));
    }),
  );
});

test('sets that differ in one version have different digests', () => {
  const digests = new Set<string>();
  for (let version = 0; version < 100_000; version++) {
    const { high, low } = digestOf([
      ['/pods/default/a', '1'],
      ['/pods/default/b', String(version)],
    ]);
    digests.add(`${high} ${low}`);
  }
  assert.equal(digests.size, 100_000);
});
