import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleNodeStatus } from '../../kinds/rule.ts';
import { prepared } from '../testing/run-query.ts';
import { explainRule, explainText } from './explain-rule.ts';

const GROUPED = 'SELECT id, avg(v) AS mean, max(v) AS most FROM demo WHERE v > 1 GROUP BY id, TUMBLINGWINDOW(ss, 10)';

/** Kinds of operators with what they cost. */
function check(sql: string, expected: Readonly<Record<string, { ns: number; bytes: number }>>): void {
  const rule = prepared(sql, { options: { maxKeys: 1000, maxWindowRows: 2000 } });
  const found = explainRule(rule.plan, rule.spec, undefined).map(({ kind, cost }) => [
    kind,
    { ns: cost?.nanosecondsPerRow, bytes: cost?.maxStateBytes },
  ]);
  assert.deepEqual(Object.fromEntries(found), expected);
}

test('each operator has a cost by row and a bound of what it keeps, from the bounds of the rule', () => {
  const nothing = (ns: number) => ({ ns, bytes: 0 });
  check(GROUPED, {
    project: nothing(100),
    aggregate: { ns: 64, bytes: 1000 * 270 },
    window: nothing(15),
    filter: nothing(15),
    source: nothing(15),
  });
  check('SELECT v FROM demo GROUP BY SLIDINGWINDOW(ss, 10)', {
    project: nothing(100),
    window: { ns: 1800, bytes: 2000 * 250 },
    source: nothing(15),
  });
});

test('what a node counts becomes rows a second and a share of a core', () => {
  const rule = prepared(GROUPED);
  const ids = new Map(explainRule(rule.plan, rule.spec, undefined).map(({ kind, id }) => [kind, id]));
  const operator = (kind: string, rowsIn: number) => ({ id: ids.get(kind as never) ?? '', operator: kind, rowsIn });
  const status: RuleNodeStatus = {
    rowsIn: 1000,
    rowsInPerSecond: 100,
    operators: [operator('filter', 1000), operator('window', 500)],
  };
  const lines = explainRule(rule.plan, rule.spec, status);
  const window = lines.find(({ kind }) => kind === 'window');
  assert.deepEqual([window?.cost?.rowsPerSecond, window?.cost?.coreShare], [50, (50 * 15) / 1e9]);
  const text = explainText(lines);
  assert.match(text, /window .*about 15 ns a row; 50 rows\/s, about 0\.000075 % of a core\) {3}in 500, out 0/);
  assert.match(text, /aggregate .*keeps at most 100000 keys; about 64 ns a row; at most about 26 MiB/);
});
