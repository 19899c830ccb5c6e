/** For tests: statements on a factory's rows, each with what it promises. The clock is that of the rows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexed } from '../../edge/tables/indexed.ts';
import type { Row } from '../../sql/index.ts';
import { replay } from '../rule/run-test.ts';
import { prepared, STREAM } from './run-query.ts';

/** When, in seconds; and what. */
export type Given = readonly [seconds: number, row: Row, stream?: 'parts'];

export interface Example {
  readonly sql: string;
  readonly given: readonly Given[];
  readonly gives: readonly object[];
  /** Rows on which an expression failed. */
  readonly errors?: number;
}

const RECIPES: readonly Row[] = [
  { code: 7, recipe: 'steel' },
  { code: 8, recipe: 'brass' },
];

function check({ sql, given, gives, errors = 0 }: Example): void {
  const rule = prepared(sql, { streams: { oven: STREAM, parts: STREAM }, tables: ['recipes'] });
  const rows = given.map(([seconds, row, stream = 'oven']) => {
    const ts = seconds * 1000;
    return { stream, at: ts, row: { ts, ...row } };
  });
  const outcome = replay(rule, rows, { tables: new Map([['recipes', indexed(RECIPES)]]) });
  assert.deepEqual([JSON.parse(JSON.stringify(outcome.results)), outcome.errors.length], [gives, errors]);
}

/** One row a second, from the first on, with these values of one field. */
export const each = (field: string, ...values: readonly Row[string][]): readonly Given[] =>
  values.map((value, at) => [at + 1, { [field]: value }]);

export type Examples = Readonly<Record<string, Example>>;

export function checkAll(examples: Examples): void {
  for (const [promise, example] of Object.entries(examples)) test(promise, () => check(example));
}
