import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import type { CliContext } from './context.ts';
import { formatCsv } from './output.ts';
import { createProgram } from './program.ts';
import { timesOf } from './time-flags.ts';

const work = mkdtempSync(join(tmpdir(), 'skerry-cli-series-'));
after(() => rmSync(work, { recursive: true, force: true }));

const NOON = Date.UTC(2026, 0, 1, 12);

/** What is refused before any cloud is asked, and what the user reads. */
async function checkRefused(line: readonly string[], sentence: RegExp): Promise<void> {
  const context: CliContext = {
    version: '1.2.3',
    command: 'skerry',
    lib: work,
    node: process.execPath,
    defaultDataDir: join(work, 'none'),
    defaultKeyDir: work,
    environment: {},
    clock: fakeClock({ start: NOON }),
    print: () => assert.fail('errors are no results'),
    say: () => {},
  };
  const program = createProgram(context, new AbortController().signal);
  await assert.rejects(program.parseAsync(['series', ...line], { from: 'user' }), sentence);
}

test('an expression that is no PromQL is refused', () => checkRefused(['query', 'sum(load'], /sum\(load: .*character/));
test('a time that is none is refused', () =>
  checkRefused(['query', 'load', '--from', 'noon'], /--from: noon is no time/));
test('a time that ends before it begins is refused', () =>
  checkRefused(['query', 'load', '--to', '2h'], /--from: it is after --to/));
test('the name of an exported file says its format', () =>
  checkRefused(['export', 'load', '--output', 'load.xls'], /load.xls ends in neither .parquet nor .csv/));
test('an export needs a file', () => checkRefused(['export', 'load'], /--output <file>/));
test('series of all namespaces are those of the cloud', () =>
  checkRefused(['list', '-A', '--node', 'edge-1'], /-A: goes with no selector and no --node/));

test('times are told as they are, or as how long ago they were', () => {
  assert.deepEqual(timesOf({ from: '90m', to: '0s' }, NOON), {
    start: '2026-01-01T10:30:00.000Z',
    end: '2026-01-01T12:00:00.000Z',
  });
  assert.deepEqual(timesOf({ from: '2025-12-31T23:00:00+01:00', to: '1h' }, NOON), {
    start: '2025-12-31T22:00:00.000Z',
    end: '2026-01-01T11:00:00.000Z',
  });
});

test('nothing in a text ends a field or a row of CSV', () =>
  assert.equal(formatCsv(['a', 'b'], [['x,"y"', 'line\nbreak']]), 'a,b\r\n"x,""y""","line\nbreak"\r\n'));
