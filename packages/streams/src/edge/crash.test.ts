/** A rule whose process is killed again and again, at any moment: its results are those of an undisturbed run. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import { replay } from '../engine/rule/run-test.ts';
import { prepared, STREAM } from '../engine/testing/run-query.ts';

const SQL =
  'SELECT id, count(*) AS c, sum(v) AS s, collect(v) AS every, window_end() AS e FROM demo GROUP BY id, HOPPINGWINDOW(ms, 150, 50)';

/** Times go forward, with some that are behind, and some too far behind; the last row ends every window that counts. */
function rowsOf(count: number): readonly { readonly ts: number; readonly id: string; readonly v: number }[] {
  const rows = Array.from({ length: count }, (_, at) => ({
    ts: at * 3 - (at % 7 === 0 ? 90 : 0) - (at % 97 === 96 ? 1000 : 0),
    id: 'abc'[(at * 7) % 3] ?? '',
    v: at,
  }));
  return [...rows, { ts: count * 3 + 10_000, id: 'a', v: 0 }];
}

function linesOf(folder: string, file: string): readonly unknown[] {
  try {
    const text = readFileSync(join(folder, 'files', file), 'utf8');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  } catch {
    return [];
  }
}

async function start(folder: string): Promise<ChildProcess> {
  const child = fork(new URL('testing/file-rule.ts', import.meta.url), [folder, SQL], {
    execArgv: ['--conditions=source'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  assert.ok(child.stdout !== null);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  assert.equal(said.toString(), 'running\n');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

test('killed at any moment, a rule from a file to a file gives each result once, and each late row once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-crash-'));
  let child: ChildProcess | undefined;
  try {
    const rows = rowsOf(2000);
    mkdirSync(join(folder, 'files'), { recursive: true });
    writeFileSync(join(folder, 'files', 'in.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const stream = { ...STREAM, watermark: { outOfOrder: '200ms' } };
    const undisturbed = replay(
      prepared(SQL, { streams: { demo: stream } }),
      rows.map((row) => ({ at: 0, row })),
    );
    const expected = JSON.parse(JSON.stringify([undisturbed.results, undisturbed.late])) as [unknown[], unknown[]];
    assert.ok(expected[0].length > 300 && expected[1].length > 5);
    for (let killed = 0; killed < runs(6); killed++) {
      child = await start(folder);
      const before = linesOf(folder, 'out.jsonl').length;
      const enough = Math.min(before + 1 + ((killed * 37) % 50), expected[0].length);
      await eventually('some results', () => linesOf(folder, 'out.jsonl').length >= enough);
      await kill(child);
    }
    child = await start(folder);
    await eventually('all results', () => linesOf(folder, 'out.jsonl').length >= expected[0].length);
    assert.deepEqual([linesOf(folder, 'out.jsonl'), linesOf(folder, 'late.jsonl')], expected);
  } finally {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await kill(child);
    rmSync(folder, { recursive: true });
  }
});
