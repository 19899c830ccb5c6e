import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UTC, zoneOf } from '../sql/index.ts';
import { RuleProblem } from './rule/prepare.ts';
import { replay } from './rule/run-test.ts';
import { openFlow, prepared } from './testing/run-query.ts';

interface Given {
  readonly sql: string;
  readonly timeZone?: string;
  readonly times: readonly string[];
}

function check({ sql, timeZone, times }: Given, expected: readonly object[]): void {
  const rule = prepared(sql, timeZone === undefined ? {} : { options: { timeZone } });
  const rows = times.map((time) => ({ at: Date.parse(time), row: { ts: Date.parse(time) } }));
  const { results, errors } = replay(rule, rows);
  assert.deepEqual([errors, JSON.parse(JSON.stringify(results))], [[], expected]);
}

const format = (call: string) => `format_time(${call}, "MM-dd HH:mm")`;
const windows = (window: string) =>
  `SELECT ${format('window_start()')} AS s, ${format('window_end()')} AS e, count(*) AS c FROM demo GROUP BY ${window}`;

test('days are those of UTC, or of the time zone of the rule', () => {
  const times = ['2026-06-01T15:00:00Z', '2026-06-01T17:00:00Z', '2026-06-02T01:00:00Z'];
  const sql = windows('TUMBLINGWINDOW(dd, 1)');
  check({ sql, times }, [
    { s: '06-01 00:00', e: '06-02 00:00', c: 2 },
    { s: '06-02 00:00', e: '06-03 00:00', c: 1 },
  ]);
  check({ sql, timeZone: 'Asia/Shanghai', times }, [
    { s: '06-01 00:00', e: '06-02 00:00', c: 1 },
    { s: '06-02 00:00', e: '06-03 00:00', c: 2 },
  ]);
});

test('a day on which clocks are set is one day, of 23 or 25 hours', () => {
  const sql = windows('TUMBLINGWINDOW(dd, 1)');
  const autumn = ['2026-10-24T22:00:00Z', '2026-10-25T22:30:00Z', '2026-10-25T22:59:59Z', '2026-10-25T23:00:00Z'];
  check({ sql, timeZone: 'Europe/Berlin', times: autumn }, [
    { s: '10-25 00:00', e: '10-26 00:00', c: 3 },
    { s: '10-26 00:00', e: '10-27 00:00', c: 1 },
  ]);
  const spring = ['2026-03-28T23:00:00Z', '2026-03-29T21:59:59Z', '2026-03-29T22:00:00Z'];
  check({ sql, timeZone: 'Europe/Berlin', times: spring }, [
    { s: '03-29 00:00', e: '03-30 00:00', c: 2 },
    { s: '03-30 00:00', e: '03-31 00:00', c: 1 },
  ]);
});

test('an hour that clocks show twice is one window', () =>
  check(
    {
      sql: windows('TUMBLINGWINDOW(hh, 1)'),
      timeZone: 'Europe/Berlin',
      times: ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-25T02:30:00Z'],
    },
    [
      { s: '10-25 02:00', e: '10-25 03:00', c: 2 },
      { s: '10-25 03:00', e: '10-25 04:00', c: 1 },
    ],
  ));

test('hours are those of zones that are half an hour off; minutes are the same everywhere', () => {
  const times = ['2026-06-01T00:10:00Z', '2026-06-01T00:40:00Z'];
  check({ sql: 'SELECT count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(hh, 1)', timeZone: 'Asia/Kolkata', times }, [
    { c: 1 },
    { c: 1 },
  ]);
  check({ sql: windows('TUMBLINGWINDOW(mi, 60)'), timeZone: 'Asia/Kolkata', times }, [
    { s: '06-01 05:30', e: '06-01 06:30', c: 2 },
  ]);
});

test('functions of dates speak the time zone of the rule', () =>
  check(
    {
      sql: 'SELECT hour(ts) AS h, day_name(ts) AS d, date_calc(ts, "1h") AS later FROM demo',
      timeZone: 'Pacific/Auckland',
      times: ['2026-06-01T15:00:00Z'],
    },
    [{ h: 3, d: 'Tuesday', later: '2026-06-02 04:00:00' }],
  ));

test('convert_tz lets functions of dates go by the clock of another zone, and the instant stays', () => {
  const shanghai = 'convert_tz(ts, "Asia/Shanghai")';
  check(
    {
      sql: `SELECT format_time(${shanghai}, "YYYY-MM-dd HH:mm X") AS t, hour(${shanghai}) AS h, last_day(${shanghai}) AS l, ${shanghai} = ts AS same, ${shanghai} AS at FROM demo`,
      timeZone: 'Europe/Berlin',
      times: ['2026-06-30T20:15:00Z'],
    },
    [{ t: '2026-07-01 04:15 +08', h: 4, l: '2026-07-31', same: true, at: '2026-06-30T20:15:00.000Z' }],
  );
  assert.throws(() => prepared('SELECT convert_tz(ts, "Moon/Base") AS t FROM demo'), /"Moon\/Base" is no time zone/);
});

test('a zone that is none is refused', () =>
  assert.throws(
    () => prepared('SELECT ts FROM demo', { options: { timeZone: 'Mars/Base' } }),
    (error) =>
      error instanceof RuleProblem && error.path === 'spec.options.timeZone' && /Mars\/Base/.test(error.message),
  ));

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'];

test('whatever the zone, each row is in one tumbling window, also after what it holds was saved and loaded', () => {
  const start = Date.UTC(2026, 2, 1);
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.constantFrom('dd, 1', 'hh, 1', 'hh, 6'),
      fc.array(fc.integer({ min: 0, max: 260 * 48 }), { minLength: 1, maxLength: 40 }),
      fc.nat(40),
      (timeZone, window, halfHours, cut) => {
        const times = halfHours.map((at) => start + at * 1_800_000).sort((one, other) => one - other);
        const sql = `SELECT count(*) AS c, window_start() AS s, window_end() AS e, min(ts) AS least, max(ts) AS most FROM demo GROUP BY TUMBLINGWINDOW(${window})`;
        const rule = prepared(sql, { options: { timeZone } });
        let open = openFlow(rule);
        const given: { c: number; s: number; e: number; least: number; most: number }[] = [];
        for (const [at, ts] of times.entries()) {
          if (at === cut) {
            given.push(...(open.results as typeof given));
            open = openFlow(rule, structuredClone(open.flow.save()));
          }
          open.flow.offer('demo', { ts }, ts);
        }
        open.flow.advance('demo', Number.POSITIVE_INFINITY);
        given.push(...(open.results as typeof given));
        assert.equal(
          given.reduce((sum, { c }) => sum + Number(c), 0),
          times.length,
        );
        const zone = timeZone === 'UTC' ? UTC : zoneOf(timeZone);
        for (const { s, e, least, most } of given) {
          assert.ok(most < e, `${most} is not before ${e}`);
          // The first of an hour that comes twice may be before what is told as its start.
          assert.ok(least >= s - 3_600_000 && (e + zone.offset(e)) % 1_800_000 === 0);
        }
        assert.ok(given.every(({ s }, at) => at === 0 || s >= (given[at - 1]?.e ?? 0) - 3_600_000));
      },
    ),
    { numRuns: 300 },
  );
});

test('a rule whose time zone changes goes on with the rows that it has', () => {
  const sql = 'SELECT count(*) AS c, window_end() AS e FROM demo GROUP BY TUMBLINGWINDOW(dd, 1)';
  const inZone = (timeZone: string) => prepared(sql, { options: { timeZone } });
  const before = openFlow(inZone('UTC'));
  const [first, second] = [Date.UTC(2026, 5, 1, 20), Date.UTC(2026, 5, 1, 23)];
  before.flow.offer('demo', { ts: first }, first);
  const after = openFlow(inZone('Europe/Berlin'), structuredClone(before.flow.save()));
  after.flow.offer('demo', { ts: second }, second);
  after.flow.advance('demo', Number.POSITIVE_INFINITY);
  assert.equal(
    after.results.reduce((sum, { c }) => sum + Number(c), 0),
    2,
  );
});
