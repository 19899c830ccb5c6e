import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleTest } from '../../kinds/rule.ts';
import type { UserFunction } from '../../sql/index.ts';
import { prepared } from '../testing/run-query.ts';
import { dataTypeOf } from './catalog.ts';
import { MAX_OWN_TESTS_MS, runOwnTests } from './own-tests.ts';
import { RuleProblem } from './prepare.ts';

interface Given {
  readonly sql: string;
  readonly rows: number;
  /** What each call of the function takes. */
  readonly callMs: number;
  readonly expected: number;
}

/** What is said against a rule whose function takes its time; undefined when it passes. */
function check({ sql, rows, callMs, expected }: Given, refusal: RegExp | undefined, mostCalls = rows): void {
  let now = 0;
  let calls = 0;
  const slow: UserFunction = {
    name: 'slow',
    parameters: [dataTypeOf('Any')],
    returns: dataTypeOf('Any'),
    call: ([value]) => {
      now += callMs;
      calls++;
      return value;
    },
  };
  const input = Array.from({ length: rows }, (_, v) => ({ row: { ts: v, v } }));
  const own: RuleTest = { name: 'all', input, expected: Array.from({ length: expected }, (_, v) => ({ s: v })) };
  const run = () =>
    runOwnTests({
      functions: [slow],
      prepare: (functions) => {
        const rule = prepared(sql, { functions });
        return { ...rule, spec: { ...rule.spec, tests: [own] } };
      },
      tables: () => new Map(),
      monotonic: () => now,
    });
  if (refusal === undefined) run();
  else assert.throws(run, (error) => error instanceof RuleProblem && refusal.test(error.message));
  assert.ok(calls <= mostCalls, `${calls} calls`);
}

const TOO_LONG = /more than 5 s until test "all".* write smaller ones/;

test('cases that pass in time pass', () =>
  check({ sql: 'SELECT slow(v) AS s FROM demo', rows: 10, callMs: MAX_OWN_TESTS_MS / 10, expected: 10 }, undefined));

test('cases whose calls take too long together are refused, and no further call is made', () =>
  check({ sql: 'SELECT slow(v) AS s FROM demo', rows: 1000, callMs: 50, expected: 1000 }, TOO_LONG, 101));

test('a window that calls it for all of its groups at once is broken off as well', () =>
  check(
    {
      sql: 'SELECT slow(v) AS s FROM demo GROUP BY v, TUMBLINGWINDOW(ss, 10)',
      rows: 1000,
      callMs: 50,
      expected: 1000,
    },
    TOO_LONG,
    101,
  ));

test('how results differ is said when there was time', () =>
  check(
    { sql: 'SELECT slow(v) AS s FROM demo', rows: 1, callMs: 1, expected: 2 },
    /test "all" fails: result 2 of 2 is missing/,
  ));
