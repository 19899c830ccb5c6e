import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statementsIn } from './list-queries.ts';

function check(source: string, expected: readonly string[]): void {
  assert.deepEqual(statementsIn(source), expected);
}

test('statements are found in every kind of quotes', () =>
  check("prepare('SELECT 1 FROM held'); exec(`PRAGMA cache_size = -2000`)", [
    'SELECT 1 FROM held',
    'PRAGMA cache_size = -2000',
  ]));

test('a statement of several lines keeps its shape without the indentation of its code', () =>
  check('prepare(`\n    SELECT key\n    FROM log\n      WHERE 1\n  `)', ['SELECT key\nFROM log\n  WHERE 1']));

test('the words of a transaction count, HTTP methods and verbs do not', () =>
  check("exec('BEGIN'); exec('COMMIT'); method === 'DELETE' || verb === 'UPDATE'", ['BEGIN', 'COMMIT']));
