import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouteSpec } from '../../kinds/index.ts';
import { matcherOf, settingsOf } from './route-settings.ts';
import { createThinner, type Row } from './thinner.ts';

type Labels = Readonly<Record<string, string>>;

function check(series: RouteSpec['series'], labels: Labels, expected: boolean): void {
  assert.equal(matcherOf(series === undefined ? {} : { series })(labels), expected);
}

test('a series goes when one matcher holds, each of whose patterns does', () => {
  check(undefined, { device: 'a' }, true);
  check([{ device: 'press-*', property: 'level' }], { device: 'press-1', property: 'level' }, true);
  check([{ device: 'press-*', property: 'level' }], { device: 'press-1', property: 'pump' }, false);
  check([{ device: 'a' }, { device: 'b' }], { device: 'b' }, true);
  check([{ device: '*-*-x' }], { device: 'a-b-x' }, true);
  check([{ device: 'ab*ba' }], { device: 'aba' }, false);
  check([{ hall: '*' }], { device: 'a' }, true);
});

test('a pattern of many stars takes no time', () =>
  check([{ device: `${'*a'.repeat(100)}*b` }], { device: 'a'.repeat(5000) }, false));

test('what a spec leaves out has defaults, and durations have days', () => {
  const { maxAgeMs, windows, maxDelayMs, bytesPerSecond } = settingsOf({
    queue: { maxAge: '1d12h' },
    budget: { windows: [{ name: 'night', from: '22:30', to: '06:00', days: ['Sun', 'Mon'], bytesPerSecond: 5 }] },
  });
  assert.deepEqual([maxAgeMs, maxDelayMs, bytesPerSecond], [129_600_000, 500, undefined]);
  assert.deepEqual(windows, [{ from: 1350, to: 360, days: [0, 1], timeZone: 'UTC', bytesPerSecond: 5 }]);
});

/** What goes of a series with a value each 300 ms: 5, 1, 3, and so on. */
function thinned(aggregate: NonNullable<RouteSpec['thin']>['aggregate']): readonly (readonly [number, unknown])[] {
  const thinner = createThinner({ thin: { step: '1s', ...(aggregate === undefined ? {} : { aggregate }) } });
  const gone: Row[] = [];
  const give = (...row: Row) => void gone.push(row);
  for (const [at, value] of [5, 1, 3, 4, 2, 6].entries()) thinner?.take([7, at * 300, value, 192], give);
  thinner?.finish(give);
  return gone.map(([, time, value]) => [time, value]);
}

test('one value a step goes: which, the route says', () => {
  assert.deepEqual(thinned(undefined), [
    [900, 4],
    [1500, 6],
  ]);
  assert.deepEqual(thinned('First'), [
    [0, 5],
    [1200, 2],
  ]);
  assert.deepEqual(thinned('Minimum'), [
    [300, 1],
    [1200, 2],
  ]);
  assert.deepEqual(thinned('Maximum'), [
    [0, 5],
    [1500, 6],
  ]);
  assert.deepEqual(thinned('Average'), [
    [0, 3.25],
    [1000, 4],
  ]);
});

test('the last value of a step does not wait for the next one', () => {
  const thinner = createThinner({ thin: { step: '1s' } });
  const gone: Row[] = [];
  thinner?.take([7, 10_200, 5, 192], (...row) => void gone.push(row));
  thinner?.look(10_900, (...row) => void gone.push(row));
  assert.equal(gone.length, 0);
  thinner?.look(11_000, (...row) => void gone.push(row));
  assert.equal(gone.length, 1);
});
