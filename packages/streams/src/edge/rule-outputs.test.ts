import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuleOutputs } from './rule-outputs.ts';

/** How far rows come when each of these rules reads the one before it; with `isCircle` the first reads the last. */
function check(
  rules: number,
  isCircle: boolean,
  expected: { readonly passed?: number; readonly fails?: RegExp },
): void {
  const outputs = new RuleOutputs();
  let passed = 0;
  for (let rule = 0; rule < rules; rule++) {
    const before = rule === 0 ? (isCircle ? rules - 1 : -1) : rule - 1;
    outputs.read(`r${before}`, 'Results', {
      rows: (rows, time) => {
        passed++;
        outputs.publish(`r${rule}`, 'Results', rows, time);
      },
      isFull: () => false,
      watermark: () => {},
      setBack: () => {},
    });
  }
  const begin = () => outputs.publish(isCircle ? 'r0' : 'r-1', 'Results', [{ v: 1 }], 0);
  if (expected.fails !== undefined) assert.throws(begin, expected.fails);
  else begin();
  if (expected.passed !== undefined) assert.equal(passed, expected.passed);
}

test('results go from rule to rule', () => check(5, false, { passed: 5 }));

test('rules that read each other in a circle are told so, and rows do not go round for ever', () =>
  check(2, true, { fails: /read each other in a circle/ }));

test('whoever has ended reads no more', () => {
  const outputs = new RuleOutputs();
  const seen: unknown[] = [];
  const end = outputs.read('r', 'Late', {
    rows: (rows) => seen.push(...rows),
    isFull: () => false,
    watermark: () => {},
    setBack: () => {},
  });
  outputs.publish('r', 'Results', [{ v: 0 }], 0);
  outputs.publish('r', 'Late', [{ v: 1 }], 0);
  end();
  outputs.publish('r', 'Late', [{ v: 2 }], 0);
  assert.deepEqual(seen, [{ v: 1 }]);
});
