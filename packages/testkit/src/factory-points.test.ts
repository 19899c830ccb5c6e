import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FactoryOptions, factoryPoints, factorySeries } from './factory-points.ts';

interface Seen {
  readonly rows: number;
  readonly sum: number;
  readonly twice: number;
  readonly late: number;
}

function see(options: FactoryOptions): Seen {
  const times = new Map<number, Set<number>>();
  const newest = new Map<number, number>();
  let rows = 0;
  let sum = 0;
  let twice = 0;
  let late = 0;
  for (const batch of factoryPoints(options)) {
    for (let row = 0; row < batch.length; row++) {
      const series = batch.series[row] ?? 0;
      const time = batch.times[row] ?? 0;
      const seen = times.get(series) ?? new Set();
      if (seen.has(time)) twice++;
      else if (time < (newest.get(series) ?? 0)) late++;
      times.set(series, seen.add(time));
      newest.set(series, Math.max(time, newest.get(series) ?? 0));
      rows++;
      sum += batch.values[row] ?? 0;
    }
  }
  return { rows, sum, twice, late };
}

test('the same seed gives the same factory, another seed another one', () => {
  const options = { series: 50, seconds: 100 };
  assert.deepEqual(see(options), see(options));
  assert.notEqual(see(options).sum, see({ ...options, seed: 2 }).sum);
});

test('nearly every series has a row each second; some rows come late, some twice', () => {
  const { rows, twice, late } = see({ series: 100, seconds: 500 });
  assert.ok(rows > 48_000 && rows < 50_500, `${rows}`);
  assert.ok(twice > 50 && twice < 200, `${twice}`);
  assert.ok(late > 50 && late < 200, `${late}`);
});

test('of ten series four are floats, three counters, two bool or enum, one a set-point', () => {
  const properties = Array.from({ length: 10 }, (_, index) => factorySeries(index).labels.property.replace(/-\d$/, ''));
  assert.deepEqual(
    properties.toSorted((left, right) => left.localeCompare(right)),
    ['bool', 'counter', 'counter', 'counter', 'enum', 'float', 'float', 'float', 'float', 'setpoint'],
  );
});
