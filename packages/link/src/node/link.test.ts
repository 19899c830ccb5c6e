/** The link over real TLS sockets on loopback. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@skerry/base';
import { Loopback } from '../testing/index.ts';

const text = (value: string) => Buffer.from(value);

test('an edge that joins gets the state, and each change after it', async () => {
  await using cloud = await new Loopback().start();
  cloud.feed.put('a', text('1'));
  const { link, folder, until } = cloud.edge('n1');
  link.start();
  await until((status) => status.current);
  await folder.replica.until(() => folder.replica.currents === 1);
  assert.deepEqual([...folder.replica.objects.keys()], ['a']);
  cloud.feed.put('b', text('2'));
  cloud.feed.delete('a');
  await folder.replica.until(() => folder.replica.objects.has('b') && !folder.replica.objects.has('a'));
  assert.equal(link.status().sessionNumber, 1);
  assert.equal(folder.sessionNumber, 1);
});

test('outbox entries reach the sink in order and leave the outbox once they are stored', async () => {
  await using cloud = await new Loopback().start();
  const { link, folder, until } = cloud.edge('n1');
  for (let count = 0; count < 1_000; count++) folder.outbox.append(text(`entry ${count}`));
  link.start();
  await until((status) => status.current);
  for (let count = 0; count < 1_000; count++) folder.outbox.append(text(`later ${count}`));
  while (folder.outbox.entries.length > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    cloud.sunk.get('n1'),
    Array.from({ length: 2_000 }, (_, index) => index + 1),
  );
});

test('a stream carries messages both ways and ends on both sides', async () => {
  await using cloud = await new Loopback().start();
  const { link, until } = cloud.edge('n1');
  link.start();
  await until((status) => status.connected);
  await whenConnected(cloud, 'n1');
  const stream = await cloud.hub.openStream('n1', text('echo'));
  const sending = (async () => {
    for (let count = 0; count < 200; count++) await stream.send(Buffer.alloc(32 * 1024, count));
    stream.end();
  })();
  const seen: number[] = [];
  for await (const message of stream.incoming) seen.push(message[0] ?? -1);
  await sending;
  await stream.closed;
  assert.deepEqual(
    seen,
    Array.from({ length: 200 }, (_, index) => index),
  );
});

test('a refused stream rejects with the text of the one who refused', async () => {
  await using cloud = await new Loopback().start();
  const { link, until } = cloud.edge('n1');
  link.start();
  await until((status) => status.connected);
  await whenConnected(cloud, 'n1');
  await assert.rejects(
    cloud.hub.openStream('n1', text('refuse no such pod')),
    (error) => hasCode(error, 'LINK_STREAM_REFUSED') && error.facts.text === 'no such pod',
  );
});

async function whenConnected(cloud: Loopback, node: string): Promise<void> {
  while (cloud.hub.session(node)?.connected !== true) await new Promise((resolve) => setImmediate(resolve));
}
