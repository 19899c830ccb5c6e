import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { type Boxed, Quality } from '../../contract/index.ts';
import { type Rows, rowValue, withBoxed } from '../rows.ts';
import { decodeChunk, encodeChunk } from './chunk.ts';
import { decodeTier, encodeTier, TIERS } from './tier.ts';

type Value = number | Boxed;

interface Row {
  readonly time: number;
  readonly value: Value;
  readonly quality: number;
}

function rowsOf(list: readonly Row[]): Rows {
  const boxed = new Map<number, Boxed>();
  for (const [row, { value }] of list.entries()) if (typeof value !== 'number') boxed.set(row, value);
  return {
    length: list.length,
    times: Float64Array.from(list, ({ time }) => time),
    values: Float64Array.from(list, ({ value }) => (typeof value === 'number' ? value : Number.NaN)),
    qualities: Uint8Array.from(list, ({ quality }) => quality),
    ...withBoxed(boxed),
  };
}

function listOf(rows: Rows | undefined): Row[] {
  assert.ok(rows !== undefined);
  return Array.from({ length: rows.length }, (_, row) => ({
    time: rows.times[row] ?? -1,
    value: rowValue(rows, row),
    quality: rows.qualities[row] ?? -1,
  }));
}

/** Comes back bit by bit. */
function check(list: readonly Row[]): Uint8Array {
  const bytes = encodeChunk(rowsOf(list));
  assert.deepStrictEqual(listOf(decodeChunk(bytes)), list);
  return bytes;
}

const START = Date.UTC(2026, 0, 1) * 1000;

function series(values: readonly Value[], stepMicros = 1_000_000): Row[] {
  return values.map((value, row) => ({ time: START + row * stepMicros, value, quality: Quality.good }));
}

/** Each row some microseconds after the one before. */
function listFrom<V extends Value>(
  start: number,
  steps: readonly (readonly [number, V, number])[],
): (Row & { value: V })[] {
  let time = start;
  return steps.map(([step, value, quality]) => {
    time += step;
    return { time, value, quality };
  });
}

const EXTREMES = [
  0,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  2 ** 50,
  2 ** 50 + 1,
  -(2 ** 50),
  1e22,
  1e-22,
  0.1 + 0.2,
];

const DECIMAL = fc
  .tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.nat(6))
  .map(([integer, digits]) => integer / 10 ** digits);

const JSON_VALUE = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.string({ unit: 'grapheme' }),
    fc.bigInt(),
    fc.uint8Array({ maxLength: 4 }),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie('any'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).any;

const COLUMNS: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  float64: fc.oneof(fc.double(), fc.constantFrom(...EXTREMES)),
  float32: fc.oneof(fc.float(), fc.constantFrom(...EXTREMES.map(Math.fround))),
  'decimals, and now and then something else': fc.oneof(
    { weight: 40, arbitrary: DECIMAL },
    { weight: 1, arbitrary: fc.constantFrom(...EXTREMES) },
  ),
  'decimals of 32 bits': DECIMAL.map(Math.fround),
  int32: fc.integer(),
  'int64 in numbers': fc.maxSafeInteger(),
  'int64 and uint64': fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 64n - 1n, 2n ** 53n),
  ),
  'uint64, small and large': fc.oneof(fc.nat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n })),
  bool: fc.nat(1),
  'tens of thousands': fc.nat(1000).map((value) => value * 10_000),
  datetime: fc.date({ noInvalidDate: true }).map((date) => date.getTime()),
  string: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'running', 'stopped')),
  bytes: fc.uint8Array({ maxLength: 40 }),
  json: fc.oneof(
    fc.array(JSON_VALUE, { maxLength: 4 }),
    fc.dictionary(fc.string(), JSON_VALUE, { noNullPrototype: true }),
  ),
};

const STEP = fc.oneof(
  { weight: 8, arbitrary: fc.constant(1_000_000) },
  { weight: 4, arbitrary: fc.integer({ min: 995_000, max: 1_005_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 10 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 1e13 }) },
);

const QUALITY = fc.oneof({ weight: 20, arbitrary: fc.constant(192) }, { weight: 1, arbitrary: fc.nat(255) });

for (const [name, value] of Object.entries(COLUMNS)) {
  test(`a chunk gives back every row: ${name}`, () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(STEP, value, QUALITY), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 0, max: START }),
        (steps, start) => {
          check(listFrom(start, steps));
        },
      ),
      { numRuns: runs(60) },
    ));
}

test('every extreme comes back by itself and among its like', () => {
  check(series(EXTREMES));
  for (const value of EXTREMES) check(series([value]));
});

test('even ticks cost nothing, whatever the period; jitter costs what it is', () => {
  const values = Array.from({ length: 1000 }, () => 5);
  assert.ok(check(series(values)).length < 40);
  assert.ok(check(series(values, 999_371)).length < 40);
  const jittery = series(values).map((row, index) => ({ ...row, time: row.time + ((index * 7919) % 8) * 1000 }));
  assert.ok(check(jittery).length < 1000 * 0.5);
});

test('steady, rising and seldom changing values take next to nothing', () => {
  const of = (valueAt: (row: number) => number) =>
    check(series(Array.from({ length: 1000 }, (_, row) => valueAt(row)))).length;
  assert.ok(of(() => 21.5) < 40);
  assert.ok(of((row) => 1000 + row * 3) < 50);
  assert.ok(of((row) => (row % 200 < 100 ? 0 : 1)) < 60);
  assert.ok(of((row) => Math.fround(20 + (row % 10) / 10)) < 700);
});

test('texts that repeat are kept once', () => {
  const states = ['running', 'stopped', 'in maintenance'];
  const bytes = check(series(Array.from({ length: 1000 }, (_, row) => states[(row * row) % 3] ?? '')));
  assert.ok(bytes.length < 500, `${bytes.length}`);
});

test('a chunk with any bit changed, or cut short, is no chunk', () => {
  const bytes = encodeChunk(rowsOf(series([1.5, 2.5, 99, -3])));
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Uint8Array.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(decodeChunk(changed), undefined);
  }
  for (let length = 0; length < bytes.length; length++) assert.equal(decodeChunk(bytes.subarray(0, length)), undefined);
});

interface Step {
  start: number;
  values: number[];
}

test('a tier says of every step what its rows add up to', () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 8_000_000 }), DECIMAL, QUALITY), { minLength: 40, maxLength: 400 }),
      (steps) => {
        const list = listFrom(START, steps);
        const bytes = encodeTier(rowsOf(list), TIERS.minute);
        const expected: Step[] = [];
        for (const { time: at, value, quality } of list) {
          if ((quality & 0xc0) === 0) continue;
          const start = Math.floor(at / TIERS.minute) * TIERS.minute;
          if (expected.at(-1)?.start !== start) expected.push({ start, values: [] });
          expected.at(-1)?.values.push(value);
        }
        if (bytes === undefined) {
          assert.ok(expected.length === 0 || expected.length > Math.floor(list.length / 4));
          return;
        }
        const tier = decodeTier(bytes, TIERS.minute);
        assert.ok(tier !== undefined);
        assert.deepEqual(
          [...tier.starts],
          expected.map(({ start }) => start),
        );
        for (const [step, { values }] of expected.entries()) {
          const sum = values.reduce((total, value) => total + value, 0);
          assert.equal(tier.counts[step], values.length);
          assert.equal(tier.mins[step], Math.min(...values));
          assert.equal(tier.maxes[step], Math.max(...values));
          assert.equal(tier.firsts[step], values[0]);
          assert.equal(tier.lasts[step], values.at(-1));
          assert.ok(Math.abs((tier.sums[step] ?? 0) - sum) <= 1e-6);
        }
      },
    ),
    { numRuns: runs(60) },
  ));

test('the sum of decimals in a tier is a decimal', () => {
  const tier = decodeTier(
    encodeTier(rowsOf(series(Array.from({ length: 60 }, () => 0.1))), TIERS.minute) ?? new Uint8Array(),
    TIERS.minute,
  );
  assert.equal(tier?.sums[0], 6);
});
