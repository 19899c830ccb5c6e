import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from './durations.ts';

function check(text: string, milliseconds: number | undefined): void {
  assert.equal(parseDuration(text), milliseconds, text);
}

test('durations add up their parts', () => {
  check('90s', 90_000);
  check('1h30m', 5_400_000);
  check('1.5h', 5_400_000);
  check('100ms', 100);
  check('-2s', -2000);
  check('0', 0);
  check('.5s', 500);
});

test('what is no duration is refused', () => {
  for (const text of ['', '5', 's', '5x', '1h 2m', 'm5', '1..5s', '9'.repeat(100)]) check(text, undefined);
});

test('the canonical text parses back', () => {
  assert.equal(formatDuration(5_400_000), '1h30m0s');
  assert.equal(formatDuration(1500), '1.5s');
  assert.equal(formatDuration(300), '300ms');
  assert.equal(formatDuration(0), '0s');
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), (value) =>
      assert.equal(parseDuration(formatDuration(value)), value),
    ),
  );
});
