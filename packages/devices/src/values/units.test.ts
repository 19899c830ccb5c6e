import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { conversion, parseUnit } from './units.ts';

/** `from` in `to`; undefined where there is no way. */
function check(amount: number, from: string, to: string, expected: number | undefined): void {
  const [source, target] = [parseUnit(from), parseUnit(to)];
  assert.ok(source !== undefined && target !== undefined, `${from} and ${to} are units`);
  const way = conversion(source, target);
  const actual = way && amount * way.factor + way.offset;
  if (expected === undefined) assert.equal(actual, undefined);
  else assert.ok(actual !== undefined && Math.abs(actual - expected) <= Math.abs(expected) * 1e-9 + 1e-9, `${actual}`);
}

test('temperatures have zeros of their own', () => {
  check(100, 'Cel', 'K', 373.15);
  check(212, '[degF]', 'Cel', 100);
  check(0, 'K', 'Cel', -273.15);
});

test('prefixes, products, quotients and exponents', () => {
  check(1, 'km', 'm', 1000);
  check(1, 'kW.h', 'MJ', 3.6);
  check(36, 'm3/h', 'L/s', 10);
  check(1, 'bar', 'kPa', 100);
  check(1, 'N/m2', 'Pa', 1);
  check(60, '{parts}/min', 'Hz', 1);
  check(5, '%', '1', 0.05);
  check(1, '10*3', '1', 1000);
  check(1, 'daN', 'N', 10);
  check(1, 'KiBy', 'bit', 8192);
  check(14.5037738, '[psi]', 'bar', 1.00000000178);
});

test('what measures something else is not converted', () => {
  check(1, 'm', 's', undefined);
  check(1, 'm', 'm2', undefined);
});

for (const code of [
  '',
  'celsius',
  'k',
  'mm/',
  'constructor',
  '__proto__',
  'kmin',
  'Cel2',
  'Cel/s',
  'm..s',
  'x'.repeat(65),
]) {
  test(`"${code.slice(0, 12)}" is no unit`, () => assert.equal(parseUnit(code), undefined));
}

test('any text is a unit or none, and nothing is thrown', () =>
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), (text) => {
      const unit = parseUnit(text);
      assert.ok(unit === undefined || Number.isFinite(unit.factor));
    }),
    { numRuns: runs(200) },
  ));
