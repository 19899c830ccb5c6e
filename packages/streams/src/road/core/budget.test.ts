import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BudgetWindow } from '../contract.ts';
import { Budget, rateAt } from './budget.ts';

const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const NIGHT: BudgetWindow = { from: 22 * 60, to: 6 * 60, days: EVERY_DAY, timeZone: 'UTC', bytesPerSecond: 9000 };

/** The rate at a time, outside of windows 100. */
function check(windows: readonly Partial<BudgetWindow>[], time: string, expected: number): void {
  const rates = { bytesPerSecond: 100, windows: windows.map((window) => ({ ...NIGHT, ...window })) };
  assert.equal(rateAt(rates, Date.parse(time)), expected);
}

test('a window over midnight holds on both sides of it', () => {
  check([{}], '2026-03-04T21:59:59Z', 100);
  check([{}], '2026-03-04T22:00:00Z', 9000);
  check([{}], '2026-03-05T05:59:59Z', 9000);
  check([{}], '2026-03-05T06:00:00Z', 100);
});

test('a window belongs to the day on which it begins', () => {
  const sunday = [0];
  check([{ days: sunday }], '2026-03-08T23:00:00Z', 9000);
  check([{ days: sunday }], '2026-03-09T05:00:00Z', 9000);
  check([{ days: sunday }], '2026-03-08T05:00:00Z', 100);
});

test('the clock of a window is that of its zone', () => {
  check([{ timeZone: 'Asia/Shanghai' }], '2026-03-04T14:30:00Z', 9000);
  check([{ timeZone: 'Asia/Shanghai' }], '2026-03-04T22:30:00Z', 100);
});

test('the first window that holds counts', () =>
  check([{ bytesPerSecond: 1 }, { bytesPerSecond: 2 }], '2026-03-04T23:00:00Z', 1));

test('over a while no more goes than the rate, and what waited leaves half of it to what is new', () => {
  const budget = new Budget({ bytesPerSecond: 1000, windows: [] });
  let late = 0;
  for (let now = 0; now < 100_000; now += 10) {
    if (!budget.allows(now, true)) continue;
    budget.spend(now, 200);
    late += 200;
    assert.ok(budget.allows(now, false), 'something is left for what is new');
  }
  assert.ok(late <= 101_000 && late > 95_000, `${late}`);
});

test('without a rate everything goes, with none nothing', () => {
  assert.equal(new Budget({ windows: [] }).allows(0, true), true);
  assert.equal(new Budget({ bytesPerSecond: 0, windows: [] }).allows(0, false), false);
});
