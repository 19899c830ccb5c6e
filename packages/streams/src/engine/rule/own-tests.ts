/**
 * A rule's own cases at a node, before it runs there. What else the node's process does stands still meanwhile, so that all cases
 * together have a limit to their time, whatever the time of each call of a function.
 */

import type { RuleTest } from '../../kinds/rule.ts';
import type { UserFunction } from '../../sql/index.ts';
import type { LookupTable } from '../lookup.ts';
import { type PreparedRule, RuleProblem } from './prepare.ts';
import { failureOf } from './run-test.ts';

export const MAX_OWN_TESTS_MS = 5000;

export interface OwnTests {
  readonly functions: readonly UserFunction[];
  readonly prepare: (functions: readonly UserFunction[]) => PreparedRule;
  readonly tables: (prepared: PreparedRule, test: RuleTest) => ReadonlyMap<string, LookupTable>;
  readonly monotonic: () => number;
}

/** Throws a RuleProblem when the rule does not pass, or not in time. */
export function runOwnTests({ functions, prepare, tables, monotonic }: OwnTests): void {
  const until = monotonic() + MAX_OWN_TESTS_MS;
  let running = '';
  const checkTime = () => {
    if (monotonic() > until) throw outOfTime(running);
  };
  const prepared = prepare(functions.map((each) => ({ ...each, call: timed(each, checkTime) })));
  for (const test of prepared.spec.tests ?? []) {
    running = test.name;
    const why = failureOf(prepared, test, { tables: tables(prepared, test), checkTime });
    if (why !== undefined) throw new RuleProblem('spec.tests', `test "${test.name}" fails: ${why}`);
  }
}

/** A window may call a function for thousands of groups at once: no further one when the time is over. */
function timed({ call }: UserFunction, checkTime: () => void): UserFunction['call'] {
  return (args) => {
    checkTime();
    return call(args);
  };
}

function outOfTime(test: string): RuleProblem {
  const seconds = MAX_OWN_TESTS_MS / 1000;
  return new RuleProblem(
    'spec.tests',
    `the cases have taken more than ${seconds} s until test "${test}", and a node gives them no longer: write smaller ones`,
  );
}
