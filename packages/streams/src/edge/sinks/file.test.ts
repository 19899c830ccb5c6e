import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipWithout } from '@skerry/testkit/processes';
import type { RuleSink } from '../../kinds/rule.ts';
import type { Row } from '../../sql/index.ts';
import { sinkContext } from '../testing/sink-context.ts';
import { fileSink } from './file.ts';
import type { Sink } from './sink.ts';

/** A step: a result, a checkpoint, one that is not committed before the crash, or the crash itself. */
type Step = number | 'checkpoint' | 'lost checkpoint' | 'crash';

/** What the files hold in the end, the oldest lines first: after a crash what was not in a checkpoint is given anew. */
async function check(steps: readonly Step[], expected: readonly number[], maxBytes: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-sink-'));
  const open = (saved: unknown): Sink =>
    fileSink(sinkContext({ folder, sink: { name: 'out', file: { path: 'out.jsonl', maxBytes } }, saved }));
  try {
    let sink = open(undefined);
    let saved: unknown;
    const commit = () => {
      saved = sink.save?.();
      sink.saved?.();
    };
    commit();
    for (const step of steps) {
      if (typeof step === 'number') sink.take([{ v: step }], 0);
      else if (step === 'checkpoint') commit();
      else if (step === 'lost checkpoint') sink.save?.();
      else {
        await sink.close();
        sink = open(saved);
      }
    }
    await sink.close();
    const files = [3, 2, 1, 0].map((at) => join(folder, at === 0 ? 'out.jsonl' : `out.jsonl.${at}`)).filter(existsSync);
    const lines = files.flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    );
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { readonly v: number }).v),
      expected,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const LARGE = 1024;
/** Every file is full with its first line. */
const SMALL = 1;

test('what was written after the checkpoint is cut off and written anew', () =>
  check([1, 'checkpoint', 2, 3, 'crash', 2, 3], [1, 2, 3], LARGE));

test('a file that there was not at the checkpoint begins anew', () => check([1, 2, 'crash', 1, 2], [1, 2], LARGE));

test('a file that was put aside with its checkpoint stays as it is', () =>
  check([1, 'checkpoint', 2, 'crash', 2, 'checkpoint', 3], [1, 2, 3], SMALL));

test('a file that was put aside before its checkpoint was safe is cut off where it is', () =>
  check([1, 'checkpoint', 2, 'checkpoint', 3, 'lost checkpoint', 4, 'crash', 3, 4], [1, 2, 3, 4], SMALL));

test('a file is put aside once at most before a checkpoint is safe, however many are lost', () =>
  check(
    [1, 'checkpoint', 2, 'lost checkpoint', 3, 'lost checkpoint', 4, 'lost checkpoint', 'crash', 2, 3, 4],
    [1, 2, 3, 4],
    SMALL,
  ));

/** The lines of CSV after each of these, which are batches of rows or something that befalls the file. */
async function checkCsv(
  steps: readonly (readonly Row[] | ((path: string) => void))[],
  expected: readonly string[],
  sink: Partial<RuleSink> = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-sink-'));
  const path = join(folder, 'out.csv');
  try {
    const opened = fileSink(
      sinkContext({ folder, sink: { name: 'out', file: { path: 'out.csv', format: 'Csv' }, ...sink } }),
    );
    for (const step of steps) {
      if (typeof step === 'function') step(path);
      else opened.take(step, 0);
    }
    await opened.close();
    assert.deepEqual(readFileSync(path, 'utf8').split('\n'), [...expected, '']);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('every line of CSV has the columns of the header, whatever a row lacks or has more', () =>
  checkCsv([[{ a: 1, b: 'x' }], [{ b: 'y' }, { a: 3, c: 4 }, { b: 'z', a: 5 }]], ['a,b', '1,x', ',y', '3,', '5,z']));

test('fields that the sink wants are the columns, also where the first row lacks one', () =>
  checkCsv([[{ a: 1, c: 2 }], [{ a: 3, b: 4, c: 5 }]], ['b,a', ',1', '4,3'], { fields: ['b', 'a'] }));

test('a file of CSV goes on with the columns that it has, and has a header again once it is emptied', () =>
  checkCsv(
    [(path) => writeFileSync(path, 'b,"a,1"\n0,0\n'), [{ 'a,1': 1, b: 2 }], (path) => truncateSync(path), [{ a: 3 }]],
    ['a', '3'],
  ));

test('a file of CSV that was there before keeps its columns', () =>
  checkCsv([(path) => writeFileSync(path, 'b,"a,1"\n0,0\n'), [{ 'a,1': 1, b: 2, c: 3 }]], ['b,"a,1"', '0,0', '2,1']));

/** Writes lines of a kilobyte and a bit until the disk is full and some more, makes room, and writes three others. */
const FULL_DISK = `
import { rmSync, writeFileSync } from 'node:fs';
import { fileSink } from ${JSON.stringify(new URL('./file.ts', import.meta.url).href)};
import { sinkContext } from ${JSON.stringify(new URL('../testing/sink-context.ts', import.meta.url).href)};
import { readFileSync } from 'node:fs';
const [folder] = process.argv.slice(1);
writeFileSync(folder + '/ballast', Buffer.alloc(300_000));
const sink = fileSink(sinkContext({ folder, sink: { name: 'out', file: { path: 'out.jsonl' } } }));
const given = [];
const write = (v) => {
  const before = sink.dropped();
  sink.take([{ v, text: 'x'.repeat(1100) }], 0);
  if (sink.dropped() === before) given.push(v);
};
for (let v = 0; sink.dropped() < 5; v++) write(v);
const { lastError } = sink.status();
rmSync(folder + '/ballast');
for (const v of ['a', 'b', 'c']) write(v);
await sink.close();
const lines = readFileSync(folder + '/out.jsonl', 'utf8').split('\\n').slice(0, -1).map((line) => JSON.parse(line).v);
console.log(JSON.stringify({ lastError, lines: lines.length, isWhole: JSON.stringify(lines) === JSON.stringify(given) }));
`;

test('a disk that fills up in the middle of a line leaves no part of it; what was dropped is counted', {
  skip: skipWithout('root'),
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-full-'));
  try {
    const mount = `mount -t tmpfs -o size=600k none '${folder}' && exec "$@"`;
    const node = [process.execPath, '--conditions=source', '--input-type=module', '-e', FULL_DISK, folder];
    const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', mount, 'sh', ...node], { encoding: 'utf8' });
    assert.equal(stderr, '');
    const { lastError, lines, isWhole } = JSON.parse(stdout) as Readonly<Record<string, unknown>>;
    assert.match(String(lastError), /ENOSPC/);
    assert.ok(Number(lines) > 100, String(lines));
    assert.equal(isWhole, true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
