import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { settingsOf } from '../../conformance/index.ts';
import type { FoundDevice } from '../../driver.ts';
import { discoverTopics } from './discover.ts';

test('a scan listens to the filter that is permitted, for as long as that, and to nothing else', async () => {
  const clock = fakeClock();
  const context = { clock, log: silentLogger, signal: new AbortController().signal };
  const done: string[] = [];
  const request = { settings: settingsOf({}), scan: { filter: 'line/+/state', duration: '5s' }, limit: 1 };
  const scan = discoverTopics(request, context, async (onMessage) => ({
    subscribe: async (filters, qos) => {
      done.push(`listens to ${filters.join(' ')} at ${qos}`);
      for (const name of ['a', 'b']) onMessage(`line/${name}/state`, Buffer.from('1'));
    },
    publish: async () => assert.fail('a scan says nothing'),
    ended: new Promise(() => {}),
    close: async () => void done.push('closed'),
  }));
  const found: FoundDevice[] = [];
  const scanning = (async () => {
    for await (const each of scan) found.push(each);
  })();
  await clock.advance(4999);
  assert.deepEqual(done, ['listens to line/+/state at 0']);
  await clock.advance(1);
  await scanning;
  assert.deepEqual(done, ['listens to line/+/state at 0', 'closed']);
  assert.deepEqual(
    found.map(({ name }) => name),
    ['line/a'],
    'and no more is proposed than may be',
  );
});
