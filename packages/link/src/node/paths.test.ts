/** Losing paths, processes and hubs over real sockets. */
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { Loopback } from '../testing/index.ts';

/** A TCP proxy that can cut its connections, or freeze them so that nobody notices. */
async function openProxy(endpoint: string) {
  const [host = '', port] = endpoint.split(':');
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    sockets.push(near, far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => {});
      from.on('data', (chunk) => void (from.writable && to.write(chunk)));
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const cut = () => {
    for (const socket of sockets.splice(0)) socket.resetAndDestroy();
  };
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    freeze: () => {
      for (const socket of sockets) socket.removeAllListeners('data').pause();
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      server.close();
    },
  };
}

const options = { heartbeatMs: 50, paths: 2 };

for (const fault of ['cut', 'freeze'] as const) {
  test(`a stream goes on over the warm path when the active one is ${fault === 'cut' ? 'reset' : 'silent'}: nothing lost, nothing twice`, async () => {
    await using cloud = await new Loopback().start();
    await using proxy = await openProxy(cloud.endpoint);
    const endpoints = () => [proxy.endpoint, cloud.endpoint];
    const { link, until } = cloud.edge('n1', { endpoints, options });
    link.start();
    await until((status) => status.current && status.paths.length === 2 && status.activePath === proxy.endpoint);
    // On a busy machine the new path may look silent too, and the session may be back on the old one by the end.
    const active = new Set<string | undefined>();
    link.onStatus(({ activePath }) => active.add(activePath));
    const stream = await cloud.hub.openStream('n1', Buffer.from('echo'));
    const sending = (async () => {
      for (let count = 0; count < 2_000; count++) {
        if (count === 1_000) proxy[fault]();
        const message = Buffer.alloc(1_000);
        message.writeUInt32BE(count);
        await stream.send(message);
      }
      stream.end();
    })();
    const seen: number[] = [];
    for await (const message of stream.incoming) seen.push(Buffer.from(message).readUInt32BE());
    await sending;
    assert.deepEqual(
      seen,
      Array.from({ length: 2_000 }, (_, index) => index),
    );
    assert.ok(active.has(cloud.endpoint), 'the session moved to the warm path');
    assert.equal(link.status().sessionNumber, 1);
  });
}

test('a stream survives the loss of the only path', async () => {
  await using cloud = await new Loopback().start();
  await using proxy = await openProxy(cloud.endpoint);
  const { link, until } = cloud.edge('n1', { endpoints: () => [proxy.endpoint], random: () => 0 });
  link.start();
  await until((status) => status.current);
  const stream = await cloud.hub.openStream('n1', Buffer.from('echo'));
  proxy.cut();
  await stream.send(Buffer.from('still there'));
  for await (const message of stream.incoming) {
    assert.equal(Buffer.from(message).toString(), 'still there');
    break;
  }
  assert.equal(link.status().sessionNumber, 1);
});

test('a node that crashed behind a half-open path is let in within about a second, and nobody is flagged', async () => {
  await using cloud = await new Loopback().start();
  await using proxy = await openProxy(cloud.endpoint);
  const before = cloud.edge('n1', { endpoints: () => [proxy.endpoint] });
  before.link.start();
  await before.until((status) => status.current);
  proxy.freeze();
  const after = cloud.edge('n1', { folder: before.folder });
  const startedAt = performance.now();
  after.link.start();
  await after.until((status) => status.current);
  assert.ok(performance.now() - startedAt < 1_500);
  assert.deepEqual(cloud.suspicions, []);
  assert.equal(after.link.status().sessionNumber, 2);
});

test('an edge that stops says goodbye: its session is gone at once', async () => {
  const states: string[] = [];
  await using cloud = await new Loopback({ hub: { onSession: (_node, state) => states.push(state) } }).start();
  const { link, until } = cloud.edge('n1');
  link.start();
  await until((status) => status.current);
  await link.stop();
  assert.deepEqual(states, ['open', 'current', 'closed']);
  assert.deepEqual([...cloud.hub.sessions()], []);
});

test('edges come back by themselves after their hub was away', async () => {
  const first = await new Loopback().start();
  let endpoint = first.endpoint;
  const { folder, link, until } = first.edge('n1', { endpoints: () => [endpoint], random: () => 0 });
  first.feed.put('key', Buffer.from('value'));
  link.start();
  await until((status) => status.current);
  await first.hub.stop();
  await until((status) => !status.connected);
  await using second = await new Loopback({ authority: first.authority }).start();
  second.numbers.set('n1', 1);
  second.feed.put('other', Buffer.from('value'));
  second.feed.put('key', Buffer.from('value'));
  second.feed.delete('key');
  second.feed.compactedTo = 3;
  endpoint = second.endpoint;
  await until((status) => status.current);
  await folder.replica.until(() => folder.replica.currents === 2);
  assert.deepEqual([...folder.replica.objects.keys()], ['other']);
  assert.equal(link.status().sessionNumber, 2);
  await first.stop();
});
