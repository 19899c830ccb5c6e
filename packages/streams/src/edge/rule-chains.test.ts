/** Rules that read the results of others, while workers and rules end and begin anew. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import type { StreamSpec } from '../kinds/stream.ts';
import { connected } from './connected-rules.ts';
import { type ScratchStreams, scratchStreams } from './testing/scratch-streams.ts';

const FILE: StreamSpec = { source: { file: { path: 'in.jsonl', follow: true } }, timestamp: { field: 'ts' } };
const ROWS = 1000;
const SECRETS = { group: '', version: 'v1', resource: 'secrets' };
const LATE = { name: 'late', namespace: 'default' };

const linesOf = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => `{"ts":${(from + at) * 10},"v":${from + at}}\n`).join('');

/** Rows of a file go through `a`, and what it gives through `b`, into a file; meanwhile something happens, and more rows come. */
async function check(meanwhile: (scratch: ScratchStreams, more: () => void) => Promise<void>): Promise<void> {
  await using scratch = await scratchStreams();
  const input = join(scratch.files, 'in.jsonl');
  let written = 0;
  const more = () => {
    appendFileSync(input, linesOf(written, ROWS));
    written += ROWS;
  };
  const results = () => {
    const output = join(scratch.files, 'out.jsonl');
    const text = existsSync(output) ? readFileSync(output, 'utf8') : '';
    return text.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { readonly v: number }).v]));
  };
  writeFileSync(input, '');
  more();
  await scratch.stream('demo', FILE);
  await scratch.stream('results', { source: { rule: { name: 'a' } } });
  // It takes longer to begin than the rule that it reads.
  await scratch.client.create(SECRETS, { apiVersion: 'v1', kind: 'Secret', metadata: LATE } as KubeObject);
  scratch.slow.add('secrets/late');
  const never = { name: 'never', output: 'Late' as const, http: { url: 'http://127.0.0.1:1/', secretName: LATE.name } };
  const sinks = [{ name: 'out', file: { path: 'out.jsonl' } }, never];
  await scratch.rule('b', { sql: 'SELECT v FROM results', streams: ['results'], sinks });
  await scratch.until('b', async () => (await scratch.status('b'))?.state === 'Running');
  await scratch.rule('a', { sql: 'SELECT v FROM demo', streams: ['demo'], sinks: [] });
  await scratch.until('a', async () => (await scratch.status('a'))?.state === 'Running');
  await meanwhile(scratch, more);
  await scratch.until('all results', () => results().length >= written);
  assert.deepEqual(
    results(),
    Array.from({ length: written }, (_, at) => at),
  );
}

test('no result of a rule is lost or doubled for its readers where the worker begins anew', () =>
  check(async (scratch, more) => {
    for (let times = 0; times < 3; times++) {
      await scratch.restart(async () => more());
      more();
    }
  }));

test('no result of a rule is lost or doubled where it, or a rule that reads it, changes', () =>
  check(async (scratch, more) => {
    for (const [at, name] of ['b', 'a', 'b', 'a'].entries()) {
      more();
      const from = name === 'a' ? 'demo' : 'results';
      await scratch.patchRule(name, { sql: `SELECT v FROM ${from} WHERE v > ${-1 - at}` });
      more();
      await scratch.clock.advance(2000);
    }
  }));

test('rules are connected with all that they read and all that read them, however far', () => {
  const rule = (key: string, ...reads: readonly string[]) => ({ key, reads });
  const groups = connected([
    rule('a', 'b'),
    rule('b'),
    rule('c', 'd', 'gone'),
    rule('d', 'e'),
    rule('e', 'c'),
    rule('f', 'b'),
    rule('g', 'gone'),
  ]);
  const names = groups.map((group) =>
    group
      .map(({ key }) => key)
      .toSorted()
      .join(''),
  );
  assert.deepEqual(names.toSorted(), ['abf', 'cde', 'g']);
});
