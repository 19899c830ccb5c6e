import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { timeFormat } from './format-time.ts';
import { parseDuration, parseTime } from './parse-time.ts';
import { UTC, zoneOf } from './zone.ts';

const ZONES = ['UTC', 'Asia/Shanghai', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Auckland'].map(zoneOf);

function check(text: string, expected: string | undefined, zone = UTC): void {
  assert.equal(parseTime(text, zone)?.toISOString(), expected, text);
}

test('times are read in the forms that people write', () => {
  check('2026-02-03T04:05:06.789Z', '2026-02-03T04:05:06.789Z');
  check('2026-02-03T04:05:06+08:00', '2026-02-02T20:05:06.000Z');
  check('2026-02-03T04:05:06.123456789-0330', '2026-02-03T07:35:06.123Z');
  check('2026-02-03 04:05', '2026-02-03T04:05:00.000Z');
  check(' 2026-02-03 ', '2026-02-03T00:00:00.000Z');
  check('0099-01-01', '0099-01-01T00:00:00.000Z');
  for (const wrong of ['', 'now', '2026', '2026-13-01', '2026-02-30', '2026-02-03T25:00', '2026-02-03x', '2025-02-29'])
    check(wrong, undefined);
});

test('a time without an offset is one of the zone', () => {
  check('2026-02-03 04:05', '2026-02-02T20:05:00.000Z', zoneOf('Asia/Shanghai'));
  check('2026-07-01', '2026-06-30T22:00:00.000Z', zoneOf('Europe/Berlin'));
  check('2026-01-01', '2025-12-31T23:00:00.000Z', zoneOf('Europe/Berlin'));
  check('2026-03-08 03:30', '2026-03-08T07:30:00.000Z', zoneOf('America/New_York'));
  check('2026-03-08 02:30', '2026-03-08T07:30:00.000Z', zoneOf('America/New_York'));
  check('2026-03-29 02:30', '2026-03-29T01:30:00.000Z', zoneOf('Europe/Berlin'));
});

test('an unknown zone is refused', () => {
  assert.throws(() => zoneOf('Mars/Olympus'), RangeError);
});

test('what a zone’s clock shows is read as the same instant again', () => {
  const write = timeFormat('yyyy-MM-dd HH:mm:ssSSS XXX');
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.date({ min: new Date('1990-01-01'), max: new Date('2060-01-01'), noInvalidDate: true }),
      (zone, date) => {
        const text = write(date, zone);
        assert.equal(parseTime(text, zone)?.getTime(), date.getTime(), text);
      },
    ),
    { numRuns: 500 },
  );
});

test('durations are read', () => {
  assert.equal(parseDuration('1h30m10s100ms'), 5_410_100);
  assert.equal(parseDuration('-1.5s'), -1500);
  assert.equal(parseDuration('250us'), 0.25);
  for (const wrong of ['', '1', 's', '1 h', '1h-2m', '--1s']) assert.equal(parseDuration(wrong), undefined, wrong);
});
