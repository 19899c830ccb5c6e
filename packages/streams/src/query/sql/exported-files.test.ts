import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportedIn } from './exported-files.ts';

/** Which of the directories are found that the statement quotes. */
function check(directories: readonly string[], quoted: string, expected: readonly string[]): void {
  const root = mkdtempSync(join(tmpdir(), 'skerry-exported-'));
  const folder = join(root, 'exports');
  try {
    for (const name of directories) {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, 'a.parquet'), '');
    }
    symlinkSync(folder, join(folder, 'link'));
    const found = exportedIn(folder, `SELECT * FROM exports."${quoted}"`);
    assert.deepEqual(
      found.map(({ name, files }) => [name, files]),
      expected.map((name) => [name, [join(folder, name, 'a.parquet')]]),
    );
  } finally {
    rmSync(root, { recursive: true });
  }
}

const DEEP = Array.from({ length: 20 }, (_none, depth) => `d${depth}`).join('/');

test('a directory is found however deep it is', () => check([DEEP], DEEP, [DEEP]));
test('only the directory that is quoted is found', () => check(['a', 'a/b', 'c'], 'a/b', ['a/b']));
test('nothing outside is found', () => check(['a'], '../exports/a', []));
test('nothing that a link leads to is found', () => check(['a'], 'link/a', []));
