/** Promises about every statement and every input: crashes change nothing, and neither does how the sources are interleaved. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { Row } from '../sql/index.ts';
import type { SavedFlow } from './flow.ts';
import { openFlow, prepared, type QuerySettings, STREAM } from './testing/run-query.ts';

const PATIENT: QuerySettings = { streams: { demo: { ...STREAM, watermark: { outOfOrder: '5s' } } } };

const STATEMENTS: readonly string[] = [
  'SELECT v, id FROM demo WHERE v > 5',
  'SELECT id, count(*) AS c, sum(v) AS s, min(v) AS low, max(v) AS high, avg(v) AS a FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 7)',
  'SELECT id, sum(v) AS s, collect(v) AS all FROM demo GROUP BY id, HOPPINGWINDOW(ss, 9, 4)',
  'SELECT count(*) AS c, last_value(v, true) AS l FROM demo GROUP BY SLIDINGWINDOW(ss, 6) OVER (WHEN v > 8)',
  'SELECT sum(v) AS s FROM demo GROUP BY SLIDINGWINDOW(ss, 3, 2)',
  'SELECT count(*) AS c, sum(v) AS s FROM demo GROUP BY SESSIONWINDOW(ss, 20, 4)',
  'SELECT sum(v) AS s FROM demo GROUP BY COUNTWINDOW(5, 2)',
  'SELECT id, sum(v) AS s FROM demo GROUP BY COUNTWINDOW(3) OVER (PARTITION BY id)',
  'SELECT count(*) AS c, sum(v) AS s FROM demo GROUP BY STATEWINDOW(v > 4, v > 7)',
  'SELECT v, lag(v) OVER (PARTITION BY id) AS p, had_changed(true, v) AS h FROM demo',
  'SELECT v, latest(v, 0) AS l, acc_sum(v) AS total FROM demo WHERE v > 2',
  'WITH m AS (SELECT id, avg(v) AS a FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 5)) SELECT max(a) AS top FROM m GROUP BY TUMBLINGWINDOW(ss, 10)',
  'SELECT v FROM demo GROUP BY TUMBLINGWINDOW(ss, 7) ORDER BY v DESC LIMIT 3',
];

interface Event {
  readonly row: Row;
  readonly time: number;
}

const EVENTS: fc.Arbitrary<Event[]> = fc
  .array(
    fc.record({
      step: fc.integer({ min: -6000, max: 4000 }),
      id: fc.constantFrom('a', 'b', 'c'),
      v: fc.integer({ min: 0, max: 10 }),
    }),
    {
      maxLength: 120,
    },
  )
  .map((all) => {
    let time = 100_000;
    return all.map(({ step, ...row }) => {
      time += step;
      return { row, time };
    });
  });

/** All results and late rows, of a run that ends and goes on from what was saved before each of these events. */
function run(sql: string, events: readonly Event[], crashes: ReadonlySet<number>): { results: Row[]; late: Row[] } {
  const rule = prepared(sql, PATIENT);
  const results: Row[] = [];
  const late: Row[] = [];
  let open = openFlow(rule);
  for (const [at, { row, time }] of events.entries()) {
    if (crashes.has(at)) {
      results.push(...open.results);
      late.push(...open.late);
      // As it comes off the disk.
      open = openFlow(rule, deserialize(serialize(open.flow.save())) as SavedFlow);
    }
    open.flow.offer('demo', row, time);
  }
  open.flow.advance('demo', Number.POSITIVE_INFINITY);
  return { results: [...results, ...open.results], late: [...late, ...open.late] };
}

for (const sql of STATEMENTS) {
  test(`wherever it crashes and goes on: ${sql}`, () =>
    fc.assert(
      fc.property(EVENTS, fc.array(fc.nat(120), { maxLength: 6 }), (events, crashes) => {
        assert.deepEqual(run(sql, events, new Set(crashes)), run(sql, events, new Set()));
      }),
      { numRuns: runs(40) },
    ));
}

/** What a hopping window gives out, as its definition says it. */
function naive(events: readonly Event[], length: number, interval: number): object[] {
  let watermark = Number.NEGATIVE_INFINITY;
  const kept: Event[] = [];
  for (const event of events) {
    if (event.time >= watermark) kept.push(event);
    watermark = Math.max(watermark, event.time - 5000);
  }
  kept.sort((one, other) => one.time - other.time);
  const [first, last] = [kept[0]?.time ?? 0, kept.at(-1)?.time ?? 0];
  const results: object[] = [];
  for (let end = Math.floor(first / interval) * interval; end <= last + length + interval; end += interval) {
    const within = kept.filter(({ time }) => time >= end - length && time < end);
    if (within.length === 0) continue;
    const values = within.map(({ row }) => Number(row['v']));
    results.push({ e: end, c: values.length, s: values.reduce((sum, value) => sum + value, 0), all: values });
  }
  return results;
}

test('hopping windows by panes are what their definition says, whatever their lengths', () =>
  fc.assert(
    fc.property(EVENTS, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), (events, length, hop) => {
      const interval = Math.min(length, hop);
      const sql = `SELECT window_end() AS e, count(*) AS c, sum(v) AS s, collect(v) AS all FROM demo GROUP BY HOPPINGWINDOW(ss, ${length}, ${interval})`;
      assert.deepEqual(run(sql, events, new Set()).results, naive(events, length * 1000, interval * 1000));
    }),
    { numRuns: runs(100) },
  ));

test('however two sources are interleaved, results and late rows are the same', () =>
  fc.assert(
    fc.property(EVENTS, EVENTS, fc.array(fc.boolean(), { minLength: 240, maxLength: 240 }), (left, right, coins) => {
      const settings: QuerySettings = {
        streams: { demo: { ...STREAM, watermark: { outOfOrder: '5s' } }, other: STREAM },
      };
      const sql =
        'SELECT demo.v AS a, other.v AS b FROM demo INNER JOIN other ON demo.id = other.id GROUP BY TUMBLINGWINDOW(ss, 8)';
      const outcome = (isLeft: (at: number) => boolean) => {
        const open = openFlow(prepared(sql, settings));
        const queues: readonly [Event[], Event[]] = [[...left], [...right]];
        for (let at = 0; queues[0].length + queues[1].length > 0; at++) {
          const wanted = isLeft(at) ? 0 : 1;
          const from = queues[wanted].length > 0 ? wanted : 1 - wanted;
          const event = queues[from === 0 ? 0 : 1].shift();
          if (event !== undefined) open.flow.offer(from === 0 ? 'demo' : 'other', event.row, event.time);
        }
        for (const stream of ['demo', 'other']) open.flow.advance(stream, Number.POSITIVE_INFINITY);
        return { results: open.results, late: open.late.map((row) => JSON.stringify(row)).sort() };
      };
      assert.deepEqual(
        outcome((at) => coins[at] ?? false),
        outcome(() => true),
      );
    }),
    { numRuns: runs(60) },
  ));

test('a changed statement keeps the state of what is unchanged in it', () => {
  const before = prepared('SELECT sum(v) AS s FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)');
  const after = prepared('SELECT sum(v) AS s FROM demo GROUP BY TUMBLINGWINDOW(ss, 10) HAVING sum(v) > 1');
  const first = openFlow(before);
  first.flow.offer('demo', { v: 1 }, 1000);
  const second = openFlow(after, first.flow.save());
  second.flow.offer('demo', { v: 2 }, 2000);
  second.flow.advance('demo', 10_000);
  assert.deepEqual(second.results, [{ s: 3 }]);
});

test('rows and keys that a flow has taken of its bounds are given back', () =>
  fc.assert(
    fc.property(fc.constantFrom(...STATEMENTS), EVENTS, (sql, events) => {
      const open = openFlow(prepared(sql, PATIENT));
      for (const { row, time } of events) open.flow.offer('demo', row, time);
      open.flow.advance('demo', Number.POSITIVE_INFINITY);
      const remembers = /lag|latest|acc_|COUNTWINDOW|STATEWINDOW|PARTITION/.test(sql);
      if (!remembers) assert.equal(open.flow.keys(), 0);
    }),
    { numRuns: runs(60) },
  ));
