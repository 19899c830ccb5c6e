import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  formatQuantity,
  milliValue,
  parseQuantity,
  unitValue,
} from './quantity.ts';

function check(text: string, canonical: string | undefined): void {
  const quantity = parseQuantity(text);
  assert.equal(quantity === undefined ? undefined : formatQuantity(quantity), canonical, text);
}

test('quantities have one canonical text', () => {
  check('1000m', '1');
  check('0.5', '500m');
  check('1.5Gi', '1536Mi');
  check('0.5Ki', '512');
  check('1024Ki', '1Mi');
  check('1000k', '1M');
  check('1e3', '1e3');
  check('12e4', '120e3');
  check('+5', '5');
  check('-1500m', '-1500m');
  check('.5', '500m');
  check('5.', '5');
  check('100000', '100k');
  check('0', '0');
  check('0Gi', '0');
  check('1n', '1n');
  check('0.1n', '1n');
  check('2E', '2E');
});

test('what is no quantity is refused', () => {
  for (const text of ['', '.', 'Mi', '1mi', '1 Gi', '1KiB', '--1', '1e', '1ee3', '0x10', '1e9999', '9'.repeat(100)])
    check(text, undefined);
});

test('comparison and sums ignore how a quantity is written', () => {
  assert.equal(compareQuantity('1', '1000m'), 0);
  assert.equal(compareQuantity('1Gi', '1G'), 1);
  assert.equal(compareQuantity('100m', '1'), -1);
  assert.equal(addQuantity('500m', '0.7'), '1200m');
  assert.equal(addQuantity(undefined, '1Gi'), '1Gi');
});

test('values round up to the unit they are scheduled by', () => {
  assert.equal(milliValue('0.0001'), 1);
  assert.equal(milliValue('2'), 2000);
  assert.equal(unitValue('1Ki'), 1024);
  assert.equal(unitValue('1500m'), 2);
  assert.equal(unitValue('-1500m'), -1);
});

test('the canonical text is a fixed point of the same value', () => {
  const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3', 'e-3');
  fc.assert(
    fc.property(fc.integer({ min: -1_000_000, max: 1_000_000 }), suffix, (value, unit) => {
      const canonical = canonicalQuantity(`${value}${unit}`);
      assert.equal(canonicalQuantity(canonical), canonical);
      assert.equal(compareQuantity(canonical, `${value}${unit}`), 0);
    }),
  );
});
