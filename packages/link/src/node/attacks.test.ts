/** What hostile, broken and slow peers must not achieve. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@skerry/base';
import { encodeFrame, type Frame } from '../core/frame.ts';
import { frameHeader, Loopback, newFolder, openRaw, smallFrame } from '../testing/index.ts';

const MIB = 1024 * 1024;

const hello: Frame = {
  type: 'hello',
  lowest: 1,
  highest: 1,
  sessionNumber: 0,
  heartbeatMs: 5_000,
  received: 0,
  key: new Uint8Array(0),
  joinOnly: false,
};

const bodies: readonly { readonly name: string; readonly bytes: Uint8Array; readonly code: number }[] = [
  { name: 'a frame of 64 MiB', bytes: Buffer.concat([frameHeader(BigInt(64 * MIB)), Buffer.alloc(MIB)]), code: 1009 },
  { name: 'a length prefix of 4 GiB without data', bytes: frameHeader(2n ** 32n), code: 1009 },
  {
    name: 'a link frame that claims 4 GiB',
    bytes: smallFrame(Buffer.from([0x13, 0x80, 0x80, 0x80, 0x80, 0x10])),
    code: 1002,
  },
  { name: 'a frame type that does not exist', bytes: smallFrame(Buffer.from([0x7f, 0x00])), code: 1002 },
  {
    name: 'session frames before the hello',
    bytes: smallFrame(encodeFrame({ type: 'applied', bytes: 1 })),
    code: 1002,
  },
  { name: 'two hellos', bytes: smallFrame(Buffer.concat([encodeFrame(hello), encodeFrame(hello)])), code: 1002 },
  { name: 'a text message', bytes: Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61]), code: 1003 },
];

for (const { name, bytes, code } of bodies) {
  test(`${name} is answered with ${code}, without memory and without harm to others`, async () => {
    await using cloud = await new Loopback().start();
    const other = cloud.edge('other');
    other.link.start();
    await other.until((status) => status.current);
    const before = process.memoryUsage().rss;
    const raw = await openRaw(cloud.endpoint, cloud.tlsOf('hostile'));
    raw.write(bytes);
    assert.equal(await raw.closeCode, code);
    assert.ok(process.memoryUsage().rss - before < 48 * MIB, 'memory stays flat');
    assert.equal(other.link.status().connected, true);
    raw.socket.destroy();
  });
}

test('garbage on a connection of its own does not end the session of the same node', async () => {
  await using cloud = await new Loopback().start();
  const { link, until } = cloud.edge('n1');
  link.start();
  await until((status) => status.current);
  const raw = await openRaw(cloud.endpoint, cloud.tlsOf('n1'));
  raw.write(smallFrame(encodeFrame({ ...hello, sessionNumber: 1 })));
  raw.write(smallFrame(Buffer.from([0x22, 0x01])));
  assert.equal(await raw.closeCode, 1002);
  assert.equal(link.status().connected, true);
  assert.equal(cloud.hub.session('n1')?.connected, true);
});

test('a stream whose reader sleeps stops its sender, and nobody else', async () => {
  await using cloud = await new Loopback().start();
  const wake = Promise.withResolvers<void>();
  const { link, folder, until } = cloud.edge('n1', {
    streamHandler: async (header, stream) => {
      stream.accept?.();
      if (header[0] === 1) await wake.promise;
      let size = 0;
      for await (const message of stream.incoming) size += message.length;
      await stream.send(Buffer.from(String(size)));
    },
  });
  link.start();
  await until((status) => status.current);
  const slow = await cloud.hub.openStream('n1', Buffer.from([1]));
  let sent = 0;
  const sending = (async () => {
    for (; sent < 100; sent++) await slow.send(Buffer.alloc(32 * 1024));
    slow.end();
  })();
  const quick = await cloud.hub.openStream('n1', Buffer.from([2]));
  for (let count = 0; count < 100; count++) await quick.send(Buffer.alloc(1_000));
  quick.end();
  for await (const answer of quick.incoming) assert.equal(Buffer.from(answer).toString(), '100000');
  cloud.feed.put('key', Buffer.from('value'));
  await folder.replica.until(() => folder.replica.objects.has('key'));
  assert.ok(sent < 5, `${sent} messages were taken from the sender of a sleeping reader`);
  wake.resolve();
  await sending;
  for await (const answer of slow.incoming) assert.equal(Buffer.from(answer).toString(), String(100 * 32 * 1024));
});

test('a revoked node is out at once and does not come back', async () => {
  await using cloud = await new Loopback().start();
  const other = cloud.edge('other');
  const { link, until } = cloud.edge('n1');
  other.link.start();
  link.start();
  await Promise.all([other.until((status) => status.current), until((status) => status.current)]);
  cloud.revoked.add('n1');
  cloud.hub.closeNode('n1', 'node is revoked');
  assert.equal(cloud.hub.session('n1')?.connected ?? false, false);
  await until((status) => !status.connected && status.refused?.code === 'revoked');
  link.retryNow();
  await until((status) => status.lastError === 'the hub answered 403');
  assert.equal(other.link.status().connected, true);
  await assert.rejects(cloud.hub.openStream('n1', new Uint8Array()), (error) => hasCode(error, 'LINK_NOT_CONNECTED'));
});

test('an edge whose certificate does not hold hears so', async () => {
  await using cloud = await new Loopback({ nodeOf: () => undefined }).start();
  cloud.server.removeAllListeners('upgrade');
  cloud.server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 401 certificate\r\nConnection: close\r\n\r\n'));
  const { link, until } = cloud.edge('n1');
  link.start();
  await until(({ refused }) => refused?.code === 'certificate');
  assert.equal(link.status().connected, false);
});

test('a copy of a live node is refused, and both are flagged', async () => {
  await using cloud = await new Loopback().start();
  const folder = newFolder();
  const real = cloud.edge('n1', { folder });
  real.link.start();
  await real.until((status) => status.current);
  const copy = cloud.edge('n1', { folder: { ...newFolder(), sessionNumber: folder.sessionNumber } });
  copy.link.start();
  await copy.until((status) => status.refused?.code === 'copy');
  assert.equal(real.link.status().connected, true);
  assert.deepEqual(
    cloud.suspicions.map(({ kind, node, comerNumber, currentNumber }) => ({ kind, node, comerNumber, currentNumber })),
    [{ kind: 'live-session', node: 'n1', comerNumber: 1, currentNumber: 1 }],
  );
});

test('one that comes with an old number is refused, also when the node is away', async () => {
  await using cloud = await new Loopback().start();
  const folder = newFolder();
  for (let sessions = 0; sessions < 2; sessions++) {
    const real = cloud.edge('n1', { folder });
    real.link.start();
    await real.until((status) => status.current);
    await real.link.stop();
  }
  const copy = cloud.edge('n1', { folder: { ...newFolder(), sessionNumber: 1 } });
  copy.link.start();
  await copy.until((status) => status.refused?.code === 'copy');
  assert.deepEqual(
    cloud.suspicions.map(({ kind, comerNumber, currentNumber }) => ({ kind, comerNumber, currentNumber })),
    [{ kind: 'old-number', comerNumber: 1, currentNumber: 2 }],
  );
});

test('an edge does not trust a hub of another authority, and says nothing to it', async () => {
  await using cloud = await new Loopback().start();
  await using stranger = await new Loopback().start();
  const { link, until } = cloud.edge('n1', { endpoints: () => [stranger.endpoint] });
  link.start();
  await until((status) => status.lastError !== undefined);
  assert.equal(link.status().connected, false);
  assert.deepEqual([...stranger.hub.sessions()], []);
});

test('streams beyond the limit are refused by name', async () => {
  await using cloud = await new Loopback().start();
  const { link, until } = cloud.edge('n1', {
    streamHandler: (_header, stream) => {
      stream.accept?.();
      return stream.closed;
    },
  });
  link.start();
  await until((status) => status.current);
  for (let count = 0; count < 128; count++) await cloud.hub.openStream('n1', Buffer.from('x'));
  await assert.rejects(cloud.hub.openStream('n1', Buffer.from('x')), (error) =>
    hasCode(error, 'LINK_TOO_MANY_STREAMS'),
  );
});
