import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { type Boxed, isBad, valueAt } from '../contract/index.ts';
import { appendWhenReady } from './append-when-ready.ts';
import type { Aggregate, SeriesStore } from './contract.ts';
import { batchOf, type Ground, ground, type Row, START } from './testing/store-ground.ts';

/** What a store must say: by series and time, the row that came last. */
type Model = Map<number, Map<number, { value: number | Boxed; quality: number }>>;

const SERIES = 4;
const DAY_MS = 86_400_000;
const LIMITS = { headRows: 400, openPartitions: 1, partitionMs: DAY_MS, querySeries: 10, aheadMs: 30 * DAY_MS };

type Op =
  | { readonly op: 'append'; readonly rows: readonly Row[] }
  | {
      readonly op: 'burst';
      readonly series: number;
      readonly start: number;
      readonly count: number;
      readonly step: number;
    }
  | { readonly op: 'seal' | 'reopen' | 'crash' | 'maintain' | 'tomorrow' };

const TIME = fc.oneof(
  fc.integer({ min: START, max: START + 2 * DAY_MS - 1 }),
  fc.integer({ min: 0, max: 300 }).map((second) => START + DAY_MS + second * 1000),
  fc.integer({ min: -2, max: 2 }).map((off) => START + DAY_MS + off),
);

const VALUE = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: -50, max: 50 }).map((value) => value / 10) },
  { weight: 1, arbitrary: fc.constantFrom<number | Boxed>(Number.NaN, -0, 'text', 2n ** 63n, Uint8Array.of(7)) },
);

const ROW: fc.Arbitrary<Row> = fc.tuple(fc.nat(SERIES - 1), TIME, VALUE, fc.constantFrom(192, 192, 192, 64, 0));

const OP: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('append' as const), rows: fc.array(ROW, { maxLength: 40 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('burst' as const),
      series: fc.nat(SERIES - 1),
      start: TIME,
      count: fc.integer({ min: 100, max: 390 }),
      step: fc.constantFrom(1000, 250, 60_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ op: fc.constantFrom('seal', 'reopen', 'crash', 'maintain', 'tomorrow' as const) }),
  },
);

function rowsOf(op: Op): readonly Row[] {
  if (op.op === 'append') return op.rows;
  if (op.op !== 'burst') return [];
  const { series, start, count, step } = op;
  return Array.from({ length: count }, (_, row) => [series, start + row * step, (row * 7) % 100]);
}

async function apply({ store }: Ground, op: Op, model: Model): Promise<void> {
  const rows = rowsOf(op);
  if (rows.length > 0) {
    await appendWhenReady(store, batchOf(rows));
    await store.sync();
  }
  for (const [series, time, value, quality = 192] of rows) {
    const known = model.get(series) ?? new Map();
    model.set(series, known.set(time, { value, quality }));
  }
  if (op.op === 'seal') await store.seal();
  if (op.op === 'maintain') await store.maintain();
}

const everything = [{ label: 'property', op: '=~', value: '.+' }] as const;

async function checkRows(store: SeriesStore, model: Model, from: number, to: number): Promise<void> {
  const { series, damaged } = await store.query({ matchers: everything, from, to });
  const actual = series.map(({ series: { id }, rows }) => [
    id,
    Array.from({ length: rows.length }, (_, row) => [
      rows.times[row],
      { value: valueAt({ ...rows, series: new Uint32Array() }, row), quality: rows.qualities[row] },
    ]),
  ]);
  const expected = [...model]
    .toSorted(([left], [right]) => left - right)
    .map(([id, rows]) => [id, sorted(rows).filter(([time]) => time >= from && time < to)] as const)
    .filter(([, rows]) => rows.length > 0);
  assert.deepStrictEqual([actual, damaged], [expected, 0]);
}

async function checkSteps(store: SeriesStore, model: Model, step: number, aggregate: Aggregate): Promise<void> {
  const [from, to] = [START, START + 4 * DAY_MS];
  const { series } = await store.query({ matchers: everything, from, to, step, aggregate });
  const actual = series.flatMap(({ series: { id }, rows }) =>
    Array.from(rows.times, (time, row) => ({ id, time, value: rows.values[row] ?? Number.NaN })),
  );
  const expected = [...model]
    .toSorted(([left], [right]) => left - right)
    .flatMap(([id, rows]) => stepsOf(rows, step, aggregate).map(([time, value]) => ({ id, time, value })));
  const place = ({ id, time }: { readonly id: number; readonly time: number }) => [id, time];
  assert.deepEqual(actual.map(place), expected.map(place));
  // Sums differ by the order in which they are added up, the more the larger their parts are.
  const tolerance = 1e-9 * largestIn(model);
  for (const [at, { value }] of expected.entries()) {
    const found = actual[at]?.value ?? Number.NaN;
    assert.ok(Math.abs(found - value) <= tolerance, `${aggregate} of ${step}: ${found} instead of ${value}`);
  }
}

function largestIn(model: Model): number {
  const sizes = [...model.values()].flatMap((rows) => [...rows.values()]).map(({ value }) => Math.abs(Number(value)));
  return sizes.filter((size) => !Number.isNaN(size)).reduce((largest, size) => Math.max(largest, size), 1000);
}

function sorted<V>(rows: ReadonlyMap<number, V>): (readonly [number, V])[] {
  return [...rows].sort(([left], [right]) => left - right);
}

function stepsOf(
  rows: ReadonlyMap<number, { value: number | Boxed; quality: number }>,
  step: number,
  aggregate: Aggregate,
): [number, number][] {
  const steps = new Map<number, number[]>();
  const growth = new Map<number, number>();
  let before = Number.NaN;
  for (const [time, { value, quality }] of sorted(rows)) {
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number' || Number.isNaN(number) || isBad(quality)) continue;
    const start = Math.floor(time / step) * step;
    steps.set(start, [...(steps.get(start) ?? []), number]);
    const more = Number.isNaN(before) ? 0 : number >= before ? number - before : number;
    growth.set(start, (growth.get(start) ?? 0) + more);
    before = number;
  }
  return [...steps].map(([start, values]) => [
    start,
    aggregate === 'increase' ? (growth.get(start) ?? 0) : AGGREGATES[aggregate](values),
  ]);
}

const AGGREGATES: Readonly<Record<Exclude<Aggregate, 'increase'>, (values: readonly number[]) => number>> = {
  avg: (values) => AGGREGATES.sum(values) / values.length,
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
  count: (values) => values.length,
  first: (values) => values[0] ?? 0,
  last: (values) => values.at(-1) ?? 0,
  rate: () => 0,
};

function checkLast(store: SeriesStore, model: Model): void {
  const actual = store
    .last(everything)
    .map(({ series: { id }, time, value, quality }) => [id, [time, { value, quality }]]);
  const expected = [...model]
    .toSorted(([left], [right]) => left - right)
    .map(([id, rows]) => [id, sorted(rows).at(-1)]);
  assert.deepStrictEqual(actual, expected);
}

async function check(ops: readonly Op[]): Promise<void> {
  await using at = await ground({ limits: LIMITS });
  const model: Model = new Map();
  for (let series = 0; series < SERIES; series++) at.store.series({ property: `p${series}` }, 'float64');
  await at.store.sync();
  for (const op of ops) {
    await apply(at, op, model);
    if (op.op === 'reopen') await at.reopen();
    if (op.op === 'crash') await at.crash();
    if (op.op === 'tomorrow') await at.clock.advance(DAY_MS);
  }
  checkLast(at.store, model);
  await checkRows(at.store, model, START, START + 4 * DAY_MS);
  await checkRows(at.store, model, START + DAY_MS + 1, START + DAY_MS + 250_123);
  for (const aggregate of ['avg', 'min', 'max', 'sum', 'count', 'first', 'last', 'increase'] as const) {
    for (const step of [1000, 60_000, 3_600_000, 7000, DAY_MS]) await checkSteps(at.store, model, step, aggregate);
  }
}

test('whatever comes in whatever order, and wherever it is kept meanwhile, the answers are those of a plain table', () =>
  fc.assert(fc.asyncProperty(fc.array(OP, { maxLength: 14 }), check), { numRuns: runs(40) }));
