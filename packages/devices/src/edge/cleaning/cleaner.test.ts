import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Quality } from '@skerry/streams/contract';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { Cleaning } from '../../resources/device.ts';
import type { Value } from '../../values/value.ts';
import { parseValueType } from '../../values/value-type.ts';
import { type CleanedProperty, createCleaner, type Sample } from './cleaner.ts';

const GOOD = Quality.good;
const HOUR_MS = 3_600_000;

function propertyOf(type: string, facts: Omit<CleanedProperty, 'valueType'> = {}): CleanedProperty {
  const valueType = parseValueType(type);
  assert.ok(typeof valueType !== 'string');
  return { valueType, ...facts };
}

type Step = readonly [value: Value, at: number, time?: number];

/** What becomes of each sample, which comes at its own time unless another one stands there: the value that goes on, or why none does. */
function check(
  property: CleanedProperty,
  cleaning: Cleaning,
  steps: readonly Step[],
  expected: readonly unknown[],
): void {
  const cleaner = createCleaner(property, cleaning);
  const seen = steps.map(([value, now, time = now]) => {
    const sample: Sample = { value, time, quality: GOOD };
    const reason = cleaner.clean(sample, now);
    if (reason !== undefined) return reason;
    if (sample.quality !== GOOD) return { ...sample };
    return sample.time === time ? sample.value : { value: sample.value, time: sample.time };
  });
  assert.deepEqual(seen, expected);
}

const steady = (...values: readonly Value[]): Step[] => values.map((value, at) => [value, at * 1000]);

test('without rules every value goes on, save for one that says the same of the same time', () =>
  check(
    propertyOf('float64'),
    {},
    [
      [1, 0, 0],
      [1, 10, 0],
      [1, 20, 20],
      [2, 30, 20],
    ],
    [1, 'Duplicate', 1, 2],
  ));

test('what is out of range is marked, dropped, clamped or kept', () => {
  const range = propertyOf('int16', { minimum: 0, maximum: 10 });
  const marked = (value: number) => ({ value, time: 0, quality: Quality.outOfRange });
  check(range, {}, [[11, 0]], [marked(11)]);
  check(range, { outOfRange: 'Drop' }, steady(11, 5), ['OutOfRange', 5]);
  check(range, { outOfRange: 'Clamp' }, [[-3, 0]], [marked(0)]);
  check(range, { outOfRange: 'Keep' }, [[11, 0]], [11]);
  check(propertyOf('uint64', { maximum: 10 }), { outOfRange: 'Clamp' }, [[11n, 0]], [{ ...marked(0), value: 10n }]);
});

test('a deadband is held against what went on last, so that a slow drift is seen', () => {
  check(propertyOf('float64'), { deadband: { absolute: 1 } }, steady(0, 0.5, 0.9, 1, 1.5, 2), [
    0,
    'Deadband',
    'Deadband',
    1,
    'Deadband',
    2,
  ]);
  check(propertyOf('float64', { deadband: { absolute: 1 } }), {}, steady(0, 0.5, 1), [0, 'Deadband', 1]);
});

test('a deadband in percent is of the range, else of the value; the larger of two counts', () => {
  check(propertyOf('float64', { minimum: 0, maximum: 200 }), { deadband: { percent: 5 } }, steady(0, 9, 10), [
    0,
    'Deadband',
    10,
  ]);
  check(propertyOf('float64'), { deadband: { percent: 10 } }, steady(100, 109, 110), [100, 'Deadband', 110]);
  check(propertyOf('float64'), { deadband: { percent: 10, absolute: 20 } }, steady(100, 115, 120), [
    100,
    'Deadband',
    120,
  ]);
});

test('only changes', () => {
  check(propertyOf('string'), { changeOnly: true }, steady('a', 'a', 'b', 'a'), ['a', 'Unchanged', 'b', 'a']);
  check(propertyOf('uint8[]'), { changeOnly: true }, steady([1, 2], [1, 2], [1, 3]), [[1, 2], 'Unchanged', [1, 3]]);
});

test('no sooner than the least interval after what went on last', () =>
  check(
    propertyOf('float64'),
    { minInterval: '100ms' },
    [
      [1, 0],
      [2, 50],
      [3, 99],
      [4, 100],
      [5, 199],
      [6, 200],
    ],
    [1, 'Held', 'Held', 4, 'Held', 6],
  ));

test('the last of a burst goes on when its interval is over, once, with its own time', () => {
  const cleaner = createCleaner(propertyOf('float64'), { minInterval: '100ms', changeOnly: true });
  const clean = (value: number, now: number) => cleaner.clean({ value, time: now, quality: GOOD }, now);
  assert.deepEqual([clean(1, 0), clean(2, 10), clean(3, 20)], [undefined, 'Held', 'Held']);
  assert.equal(cleaner.due(99), undefined);
  assert.deepEqual(cleaner.due(100), { value: 3, time: 20, quality: GOOD });
  assert.equal(cleaner.due(1000), undefined);
  assert.equal(cleaner.superseded, 1);
  assert.deepEqual([clean(3, 110), clean(4, 120), clean(3, 130)], ['Unchanged', 'Held', 'Unchanged']);
  assert.equal(cleaner.due(500), undefined);
  assert.equal(cleaner.superseded, 2);
  assert.equal(clean(5, 600), undefined);
  assert.equal(clean(6, 610), 'Held');
  assert.equal(cleaner.release(620)?.value, 6);
  assert.equal(cleaner.fail(Quality.notConnected), true);
  assert.deepEqual([cleaner.due(1000), cleaner.superseded], [undefined, 2]);
});

test('a clock that is set back neither holds a value back nor keeps it fresh for the time that comes again', () => {
  const cleaner = createCleaner(propertyOf('float64'), { minInterval: '100ms', staleAfter: '1s' });
  const clean = (value: number, now: number) => cleaner.clean({ value, time: now, quality: GOOD }, now);
  assert.deepEqual([clean(1, HOUR_MS), clean(2, 0), clean(3, 100)], [undefined, 'Held', undefined]);
  assert.deepEqual([clean(4, HOUR_MS), clean(5, HOUR_MS + 1)], [undefined, 'Held']);
  assert.deepEqual([cleaner.due(0), cleaner.due(99)], [undefined, undefined]);
  assert.deepEqual(cleaner.due(100), { value: 5, time: HOUR_MS + 1, quality: GOOD });
  assert.deepEqual([cleaner.due(1000), cleaner.due(1001)?.quality], [undefined, Quality.stale]);
});

test('what is held back longer than it stays fresh goes on as stale', () => {
  const cleaner = createCleaner(propertyOf('float64'), { minInterval: '1h', staleAfter: '1s' });
  const clean = (value: number, now: number) => cleaner.clean({ value, time: now, quality: GOOD }, now);
  assert.deepEqual([clean(1, 0), clean(2, 10)], [undefined, 'Held']);
  assert.deepEqual(cleaner.due(1011), { value: 2, time: 10, quality: Quality.stale });
  assert.equal(cleaner.due(4_000_000), undefined);
});

test('filters', () => {
  check(propertyOf('float64'), { filter: { type: 'Median', window: 3 } }, steady(1, 9, 2, 100, 3), [1, 5, 2, 9, 3]);
  check(propertyOf('float64'), { filter: { type: 'Mean', window: 2 } }, steady(2, 4, 6), [2, 3, 5]);
  check(propertyOf('float64'), { filter: { type: 'Exponential', alpha: 0.5 } }, steady(0, 8, 8), [0, 4, 6]);
  check(propertyOf('int32'), { filter: { type: 'Mean', window: 2 } }, steady(1, 2), [1, 2]);
});

test('a clock that is too far off is not believed', () =>
  check(
    propertyOf('float64'),
    { maxClockSkew: '5s' },
    [
      [1, 100_000, 98_000],
      [2, 100_000, 0],
      [3, 100_001, 900_000],
    ],
    [1, { value: 2, time: 100_000 }, { value: 3, time: 100_001 }],
  ));

test('how far a value can be trusted is news, whatever else is asked', () => {
  const cleaner = createCleaner(propertyOf('float64'), { changeOnly: true, minInterval: '1h' });
  const clean = (quality: number, now: number) => cleaner.clean({ value: 1, time: now, quality }, now);
  assert.deepEqual(
    [clean(GOOD, 0), clean(GOOD, 1), clean(Quality.uncertain, 2), clean(GOOD, 3)],
    [undefined, 'Unchanged', undefined, undefined],
  );
  assert.deepEqual([cleaner.fail(Quality.notConnected), cleaner.fail(Quality.notConnected)], [true, false]);
  assert.equal(clean(GOOD, 4), undefined);
});

test('a value grows stale once, and a new one is news though it is the same', () => {
  const cleaner = createCleaner(propertyOf('float64'), { staleAfter: '1s', changeOnly: true });
  const clean = (now: number) => cleaner.clean({ value: 1, time: now, quality: GOOD }, now);
  assert.equal(cleaner.due(5000), undefined);
  assert.equal(clean(0), undefined);
  assert.equal(clean(900), 'Unchanged');
  assert.equal(cleaner.due(1900), undefined);
  assert.deepEqual(cleaner.due(1901), { value: 1, time: 0, quality: Quality.stale });
  assert.equal(cleaner.due(9000), undefined);
  assert.equal(clean(9001), undefined);
});

test('whatever comes, a number that goes on is news by its deadband, and in range when clamped', () =>
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -100, max: 100 }), { maxLength: 50 }), (numbers) => {
      const cleaner = createCleaner(propertyOf('float64', { minimum: -50, maximum: 50 }), {
        outOfRange: 'Clamp',
        deadband: { absolute: 5 },
      });
      let last: Sample | undefined;
      for (const [at, value] of numbers.entries()) {
        const sample: Sample = { value, time: at, quality: GOOD };
        if (cleaner.clean(sample, at) !== undefined) continue;
        assert.ok(Math.abs(Number(sample.value)) <= 50);
        const isNews = last === undefined || last.quality !== sample.quality;
        assert.ok(isNews || Math.abs(Number(sample.value) - Number(last?.value)) >= 5);
        last = sample;
      }
    }),
    { numRuns: runs(100) },
  ));
