import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row, Value } from '../sql/index.ts';
import { createContext } from '../sql/index.ts';
import { createFlow } from './flow.ts';
import type { LookupTable } from './lookup.ts';
import { limitsOf, timingOf } from './rule/prepare.ts';
import { prepared } from './testing/run-query.ts';

const NAMES = new Map<Value, string>([
  [1, 'north'],
  [2, 'south'],
]);

/** Answers when it is told to, the last question first. */
class SlowTable implements LookupTable {
  readonly #asked: (() => void)[] = [];

  find({ id }: Readonly<Record<string, Value>>): Promise<readonly Row[]> {
    const name = NAMES.get(id ?? null);
    const { promise, resolve, reject } = Promise.withResolvers<readonly Row[]>();
    this.#asked.push(() => {
      if (id === 13) reject(new Error('no answer'));
      else resolve(name === undefined ? [] : [{ id: id ?? null, name }]);
    });
    return promise;
  }

  async answer(): Promise<void> {
    for (let next = this.#asked.pop(); next !== undefined; next = this.#asked.pop()) next();
    await new Promise(setImmediate);
  }
}

/** What a statement gives for rows of `demo` once the table has answered. */
async function check(sql: string, ids: readonly number[], expected: readonly object[], errors = 0): Promise<void> {
  const rule = prepared(sql, { tables: ['names'] });
  const table = new SlowTable();
  const results: Row[] = [];
  const failures: unknown[] = [];
  const flow = createFlow({
    plan: rule.plan,
    limits: limitsOf(rule.spec),
    createContext: (meta) => createContext({ ruleId: 'r', now: () => 0, meta }),
    timing: (stream) => timingOf(rule.spec, rule.streams.get(stream)),
    table: () => table,
    onRows: (rows) => results.push(...rows),
    onLate: () => {},
    onError: (_operator, error) => failures.push(error),
  });
  for (const [at, id] of ids.entries()) flow.offer('demo', { id }, at * 1000);
  flow.advance('demo', Number.POSITIVE_INFINITY);
  assert.deepEqual(results, []);
  await table.answer();
  assert.deepEqual([JSON.parse(JSON.stringify(results)), failures.length], [expected, errors]);
}

test('rows go on in their order, in whatever order the table answers', () =>
  check(
    'SELECT demo.id, name FROM demo INNER JOIN names ON demo.id = names.id',
    [1, 3, 2, 1],
    [
      { id: 1, name: 'north' },
      { id: 2, name: 'south' },
      { id: 1, name: 'north' },
    ],
  ));

test('a left join keeps rows without a partner', () =>
  check(
    'SELECT demo.id, name FROM demo LEFT JOIN names ON demo.id = names.id',
    [3, 2],
    [{ id: 3 }, { id: 2, name: 'south' }],
  ));

test('windows wait for what the table still owes', () =>
  check(
    'SELECT count(*) AS c FROM demo INNER JOIN names ON demo.id = names.id GROUP BY TUMBLINGWINDOW(ss, 2)',
    [1, 2, 1],
    [{ c: 2 }, { c: 1 }],
  ));

test('a row that the table has failed is counted, and goes no further', () =>
  check('SELECT demo.id FROM demo LEFT JOIN names ON demo.id = names.id', [1, 13, 2], [{ id: 1 }, { id: 2 }], 1));
