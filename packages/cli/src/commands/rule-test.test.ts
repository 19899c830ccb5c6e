import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import type { CliContext } from '../context.ts';
import { testRules } from './rule-test.ts';

const work = mkdtempSync(join(tmpdir(), 'skerry-cli-rule-'));
after(() => rmSync(work, { recursive: true, force: true }));

const RULE = `
apiVersion: streams.skerry.io/v1alpha1
kind: Stream
metadata: {name: demo}
spec: {source: {simulator: {interval: 1s, rows: [{}]}}, schema: [{name: t, type: Bigint}]}
---
apiVersion: streams.skerry.io/v1alpha1
kind: Rule
metadata: {name: shares}
spec: {sql: SELECT 100 / t AS share FROM demo, sinks: [{log: {}}]}
`;

/** Replays rows on the rule; resolves with what was printed. */
async function run(rows: string): Promise<string> {
  const [file, data] = [join(work, 'rule.yaml'), join(work, 'rows.csv')];
  writeFileSync(file, RULE);
  writeFileSync(data, `t\n${rows}\n`);
  let printed = '';
  const context: CliContext = {
    version: '1.2.3',
    command: 'skerry',
    lib: work,
    node: process.execPath,
    defaultDataDir: work,
    defaultKeyDir: work,
    environment: {},
    clock: fakeClock(),
    print: (text) => (printed += text),
    say: (text) => (printed += text),
  };
  try {
    await testRules(context, [file], { input: [data], every: 1000 });
  } catch (error) {
    printed += `error: ${(error as Error).message}\n`;
  }
  return printed;
}

test('a recording of which every row has its result is a success', async () => {
  const printed = await run('50\n20');
  assert.match(printed, /^\{"share":2\}\n\{"share":5\}\n/);
  assert.doesNotMatch(printed, /error/);
});

test('rows that fail are a failure of the command, after the results of the others', async () => {
  const printed = await run('50\n0');
  assert.match(printed, /^\{"share":2\}\n/);
  assert.match(printed, /1 failed, the first: .*\nerror: rows of the recording failed in shares\n$/);
});
