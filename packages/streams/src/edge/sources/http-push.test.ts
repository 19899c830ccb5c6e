import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import { openHttpPush } from './http-push.ts';

test('a port that another has is told, and taken once it is free', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const taken = other.address();
  const port = typeof taken === 'object' && taken !== null ? taken.port : 0;
  const clock = fakeClock();
  const rows: object[] = [];
  let problem: string | undefined = 'not opened';
  const target = {
    row: (row: object) => void rows.push(row),
    failed: () => {},
    problem: (sentence: string | undefined) => {
      problem = sentence;
    },
    end: () => {},
  };
  const context = { namespace: 'a', name: 's', clock, log: silentLogger, random: Math.random, folder: '.', secret: {} };
  const source = openHttpPush({ source: { httpPush: { path: '/', port, anonymous: true } } }, target, context);
  try {
    await eventually('it is told', () => problem?.includes(`port ${port}, which is tried again`));
    other.close();
    await once(other, 'close');
    await eventually('it listens', async () => {
      await clock.advance(1000);
      return problem === undefined;
    });
    const { status } = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{"v":1}' });
    assert.deepEqual([status, rows], [204, [{ v: 1 }]]);
  } finally {
    other.close();
    await source.close();
  }
});

test('one that waits for its port is closed at once', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const taken = other.address();
  const port = typeof taken === 'object' && taken !== null ? taken.port : 0;
  const clock = fakeClock();
  const target = { row: () => {}, failed: () => {}, problem: () => {}, end: () => {} };
  const context = { namespace: 'a', name: 's', clock, log: silentLogger, random: Math.random, folder: '.', secret: {} };
  await openHttpPush({ source: { httpPush: { path: '/', port } } }, target, context).close();
  other.close();
});
