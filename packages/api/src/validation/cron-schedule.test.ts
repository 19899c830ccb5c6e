import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTimeZone, lastCronTime, nextCronTime, parseCron } from './cron-schedule.ts';

function check(text: string, after: string, expected: string | undefined, zone?: string): void {
  const schedule = parseCron(text);
  assert.ok(schedule, text);
  const time = nextCronTime(schedule, Date.parse(after), zone);
  assert.equal(time === undefined ? undefined : new Date(time).toISOString().replace(':00.000', ''), expected);
}

test('the next time is the first after, never the same', () => {
  check('*/5 * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:05Z');
  check('*/5 * * * *', '2026-01-01T00:04:59.999Z', '2026-01-01T00:05Z');
  check('30 4 1,15 * *', '2026-01-15T04:30:00Z', '2026-02-01T04:30Z');
  check('0 9-17/4 * * mon-fri', '2026-01-02T18:00:00Z', '2026-01-05T09:00Z');
  check('0 0 29 feb *', '2026-01-01T00:00:00Z', '2028-02-29T00:00Z');
  check('0 0 31 2 *', '2026-01-01T00:00:00Z', undefined);
  check('@hourly', '2026-01-01T00:00:00Z', '2026-01-01T01:00Z');
  check('@every 1h30m', '2026-01-01T00:00:00Z', '2026-01-01T01:30Z');
});

test('day of month and weekday: either, when both are restricted', () => {
  check('0 0 13 * 5', '2026-01-01T00:00:00Z', '2026-01-02T00:00Z');
  check('0 0 13 * *', '2026-01-01T00:00:00Z', '2026-01-13T00:00Z');
});

test('a zone keeps its wall clock over the year', () => {
  check('0 8 * * *', '2026-01-01T12:00:00Z', '2026-01-02T07:00Z', 'Europe/Berlin');
  check('0 8 * * *', '2026-07-01T12:00:00Z', '2026-07-02T06:00Z', 'Europe/Berlin');
  check('0 9 * * *', '2026-01-01T00:00:00Z', '2026-01-01T03:30Z', 'Asia/Kolkata');
});

test('a time that a zone skips is not made up; one that it has twice comes twice', () => {
  check('30 2 * * *', '2026-03-28T12:00:00Z', '2026-03-30T00:30Z', 'Europe/Berlin');
  check('30 2 * * *', '2026-10-24T12:00:00Z', '2026-10-25T00:30Z', 'Europe/Berlin');
  check('30 2 * * *', '2026-10-25T00:30:00Z', '2026-10-25T01:30Z', 'Europe/Berlin');
});

test('what is no schedule is refused', () => {
  const wrong = ['', '* * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * * 13 *', '* * * * 7', '*/0 * * * *'];
  for (const text of [...wrong, '5-1 * * * *', '*-5 * * * *', '@often', '@every x', '@every 0s', 'a * * * *']) {
    assert.equal(parseCron(text), undefined, text);
  }
  assert.deepEqual(['Europe/Berlin', 'UTC', 'Mars/Base', ''].map(isTimeZone), [true, true, false, false]);
});

test('the last time is the last of all the next ones', () => {
  const schedule = parseCron('*/7 3,5 * * *');
  assert.ok(schedule);
  const start = Date.UTC(2026, 0, 1);
  fc.assert(
    fc.property(fc.nat(5000), fc.nat(5000), (from, length) => {
      const since = start + from * 60_000;
      const now = since + length * 60_000;
      let expected: number | undefined;
      for (let time = nextCronTime(schedule, since); time !== undefined && time <= now; ) {
        expected = time;
        time = nextCronTime(schedule, time);
      }
      assert.equal(lastCronTime(schedule, { since, now }), expected);
    }),
  );
});
