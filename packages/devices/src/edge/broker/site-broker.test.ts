/** Who is let in, what they may do, and what happens to those who do something else. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { silentLogger, systemClock } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { eventually, requireSystem } from '@skerry/testkit/processes';
import { FAILED_LOGINS_WINDOW_MS, MAX_FAILED_LOGINS } from '../logins/login-attempts.ts';
import { openSiteBroker } from './site-broker.ts';
import { RawClient } from './testing/raw-client.ts';
import { brokerConfig, portOf, scratchBroker, userOf } from './testing/scratch-broker.ts';

const run = promisify(execFile);
const PUBLISH = { cmd: 'publish' as const, qos: 1 as const, dup: false, retain: false, messageId: 1, payload: 'x' };

function login(name: string, password = `${name}-secret`, clientId = `client-of-${name}`) {
  return { clientId, username: name, password: Buffer.from(password) };
}

/** The code of CONNACK. */
async function codeOf(port: number, packet: Parameters<typeof RawClient.connect>[1]): Promise<unknown> {
  await using client = await RawClient.open(port);
  client.sendConnect(packet);
  return (await client.receive('connack'))['returnCode'];
}

const CLOSED = { isAnonymousAllowed: false };
const ALICE = userOf('alice', { publish: ['from/%u/#', 'by/%c'], subscribe: ['to/%u/+', 'all/#'] });

test('nobody comes without a name unless that is asked for, and nobody by a wrong password', async () => {
  await using scratch = await scratchBroker({ ...CLOSED, users: [ALICE] });
  assert.equal(await codeOf(scratch.port, {}), 5);
  assert.equal(await codeOf(scratch.port, login('alice', 'wrong')), 5);
  assert.equal(await codeOf(scratch.port, { clientId: 'x', username: 'alice' }), 5);
  assert.equal(await codeOf(scratch.port, login('mallory')), 5);
  assert.equal(await codeOf(scratch.port, login('alice')), 0);
  assert.equal(scratch.broker.report().refused, 4);
});

test('after too many wrong passwords from one address the right one is refused as well, and counted', async () => {
  const clock = fakeClock();
  await using scratch = await scratchBroker({ ...CLOSED, users: [ALICE, userOf('bob')] }, { clock });
  for (let guess = 0; guess < MAX_FAILED_LOGINS; guess++)
    assert.equal(await codeOf(scratch.port, login('alice', `guess ${guess}`)), 5);
  assert.equal(scratch.broker.report().loginsTurnedAway, 0);
  assert.equal(await codeOf(scratch.port, login('alice')), 5);
  assert.equal(scratch.broker.report().loginsTurnedAway, 1);
  assert.equal(await codeOf(scratch.port, login('bob')), 0);
  await clock.advance(FAILED_LOGINS_WINDOW_MS);
  assert.equal(await codeOf(scratch.port, login('alice')), 0);
});

test('a password may be kept as mosquitto_passwd writes it', async () => {
  const salt = Buffer.from('0123456789ab');
  const hash = pbkdf2Sync('right', salt, 101, 64, 'sha512').toString('base64');
  const user = userOf('bob', { password: `$7$101$${salt.toString('base64')}$${hash}` });
  await using scratch = await scratchBroker({ ...CLOSED, users: [user] });
  assert.equal(await codeOf(scratch.port, login('bob', 'wrong')), 5);
  assert.equal(await codeOf(scratch.port, login('bob', 'right')), 0);
});

test('a client publishes where its user may, and is cut off elsewhere', async () => {
  await using scratch = await scratchBroker({ ...CLOSED, users: [ALICE] });
  await using client = await RawClient.connect(scratch.port, login('alice'));
  for (const topic of ['from/alice/x', 'by/client-of-alice']) {
    client.send({ ...PUBLISH, topic });
    await client.receive('puback');
  }
  for (const topic of ['from/bob/x', 'to/alice/x', '$SYS/x']) {
    await using other = await RawClient.connect(scratch.port, login('alice', undefined, 'other'));
    other.send({ ...PUBLISH, topic });
    await other.closed();
  }
});

test('a client that names itself so that a right would widen has no such right', async () => {
  await using scratch = await scratchBroker({ ...CLOSED, users: [ALICE] });
  await using client = await RawClient.connect(scratch.port, login('alice', undefined, 'x/y'));
  client.send({ ...PUBLISH, topic: 'by/x/y' });
  await client.closed();
});

test('a client subscribes to what its user may, and is answered 128 for the rest', async () => {
  await using scratch = await scratchBroker({ ...CLOSED, users: [ALICE] });
  await using client = await RawClient.connect(scratch.port, login('alice'));
  for (const [filter, granted] of [
    ['to/alice/+', 1],
    ['to/alice/x', 1],
    ['all/a/#', 1],
    ['to/alice/#', 128],
    ['to/bob/x', 128],
    ['#', 128],
    ['$SYS/#', 128],
  ] as const)
    assert.deepEqual(await client.subscribe(filter, 1), [granted], filter);
});

test('a session keeps no filter that was refused beside one that was granted', async () => {
  await using scratch = await scratchBroker({ ...CLOSED, users: [ALICE] });
  const session = { ...login('alice'), clean: false };
  const client = await RawClient.connect(scratch.port, session);
  client.send({
    cmd: 'subscribe',
    messageId: 2,
    subscriptions: [
      { topic: 'to/alice/x', qos: 1 },
      { topic: 'to/bob/x', qos: 1 },
    ],
  });
  assert.deepEqual((await client.receive('suback'))['granted'], [1, 128]);
  await client.cut();
  for (const topic of ['to/bob/x', 'to/alice/x'])
    await scratch.broker.publish({ topic, payload: Buffer.from('x'), qos: 1, isRetained: false });
  await using returned = await RawClient.connect(scratch.port, session);
  assert.equal((await returned.message()).topic, 'to/alice/x');
});

test('a user takes over no client of another, nor its messages', async () => {
  const bob = userOf('bob', { subscribe: ['to/bob/+'] });
  await using scratch = await scratchBroker({ ...CLOSED, users: [ALICE, bob] });
  const session = { ...login('alice', undefined, 'shared'), clean: false };
  await using client = await RawClient.connect(scratch.port, session);
  await client.subscribe('to/alice/x', 1);
  const thief = { ...login('bob', undefined, 'shared'), clean: false };
  assert.equal(await codeOf(scratch.port, thief), 2);
  await client.flushed();
  await client.cut();
  await eventually('the client is gone', async () => scratch.broker.report().clients === 0);
  assert.equal(await codeOf(scratch.port, thief), 2);
});

test('a session that is kept is its user’s, also after a new start: no other wipes it by coming with its client id', async (t) => {
  const file = join(await scratchFolder(t), 'broker.db');
  const users = [ALICE, userOf('bob')];
  const session = { ...login('alice', undefined, 'shared'), clean: false };
  const thief = login('bob', undefined, 'shared');
  {
    await using scratch = await scratchBroker({ ...CLOSED, users }, { file });
    await using client = await RawClient.connect(scratch.port, session);
    await client.subscribe('to/alice/x', 1);
    await client.cut();
    await eventually('the client is gone', async () => scratch.broker.report().clients === 0);
    await scratch.broker.publish({ topic: 'to/alice/x', payload: Buffer.from('kept'), qos: 1, isRetained: false });
    for (const clean of [true, false]) assert.equal(await codeOf(scratch.port, { ...thief, clean }), 2);
  }
  await using scratch = await scratchBroker({ ...CLOSED, users }, { file });
  assert.equal(await codeOf(scratch.port, { ...thief, clean: true }), 2);
  await using returned = await RawClient.connect(scratch.port, session);
  assert.equal((await returned.message()).text, 'kept');
  await returned.cut();
  await eventually('the client is gone', async () => scratch.broker.report().clients === 0);
  // It is free once its user has ended it, or is a user no more.
  assert.equal(await codeOf(scratch.port, { ...session, clean: true }), 0);
  await eventually('the client is gone', async () => scratch.broker.report().clients === 0);
  assert.equal(await codeOf(scratch.port, { ...thief, clean: true }), 0);
});

test('a session from before sessions had owners is the user’s who comes for it first', async (t) => {
  const file = join(await scratchFolder(t), 'broker.db');
  const users = [ALICE, userOf('bob')];
  const session = { ...login('alice', undefined, 'shared'), clean: false };
  {
    await using scratch = await scratchBroker({ ...CLOSED, users }, { file });
    await using client = await RawClient.connect(scratch.port, session);
    await client.subscribe('to/alice/x', 1);
  }
  const db = new DatabaseSync(file);
  db.exec('DELETE FROM owners');
  db.close();
  await using scratch = await scratchBroker({ ...CLOSED, users }, { file });
  assert.equal(await codeOf(scratch.port, session), 0);
  await eventually('the client is gone', async () => scratch.broker.report().clients === 0);
  assert.equal(await codeOf(scratch.port, login('bob', undefined, 'shared')), 2);
});

test('whoever may no longer do what they did is cut off, and others stay', async () => {
  const bob = userOf('bob', { publish: ['#'] });
  await using scratch = await scratchBroker({ ...CLOSED, users: [ALICE, bob] });
  await using alice = await RawClient.connect(scratch.port, login('alice'));
  await using other = await RawClient.connect(scratch.port, login('bob'));
  scratch.broker.configure(brokerConfig({ ...CLOSED, users: [bob] }));
  await alice.closed();
  await other.flushed();
  assert.equal(await codeOf(scratch.port, login('alice')), 5);
});

test('a packet that is too large is cut off when it is announced', async () => {
  const limits = { ...brokerConfig().limits, messageBytes: 1000 };
  await using scratch = await scratchBroker({ limits });
  await using announcing = await RawClient.connect(scratch.port);
  // 200 MiB, of which nothing comes.
  announcing.sendBytes(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x64, 0, 1, 0x61));
  await announcing.closed();
  await using sending = await RawClient.connect(scratch.port);
  sending.send({ ...PUBLISH, topic: 'a', payload: 'x'.repeat(1001) });
  await sending.closed();
  await using modest = await RawClient.connect(scratch.port);
  modest.send({ ...PUBLISH, topic: 'a', payload: 'x'.repeat(1000) });
  await modest.receive('puback');
});

test('beyond so many clients, subscriptions and messages in flight nothing more is taken', async () => {
  const limits = { ...brokerConfig().limits, clients: 2, subscriptionsPerClient: 2, inflightPerClient: 2 };
  await using scratch = await scratchBroker({ limits });
  await using first = await RawClient.connect(scratch.port);
  await using second = await RawClient.connect(scratch.port);
  await using third = await RawClient.open(scratch.port);
  third.sendConnect();
  await third.closed();
  assert.deepEqual(
    [await first.subscribe('a'), await first.subscribe('b'), await first.subscribe('c')],
    [[0], [0], [128]],
  );
  assert.deepEqual(await first.subscribe('a'), [0], 'the same again is no more');
  for (const messageId of [1, 2, 3]) second.send({ ...PUBLISH, topic: 'a', qos: 2, messageId });
  await second.closed();
});

test('a client beyond its rate is slowed down and loses nothing', async () => {
  const limits = { ...brokerConfig().limits, messagesPerSecondPerClient: 100 };
  const clock = fakeClock();
  await clock.advance(60_000);
  await using scratch = await scratchBroker({ limits }, { clock });
  const heard: string[] = [];
  scratch.broker.tap('fast', (_, payload) => void heard.push(String(payload)));
  await using client = await RawClient.connect(scratch.port);
  const others = clock.pending;
  for (let id = 1; id <= 120; id++) client.send({ ...PUBLISH, topic: 'fast', payload: String(id), messageId: id });
  for (let id = 1; id <= 100; id++) await client.receive('puback');
  for (let id = 101; id <= 120; id++) {
    // After a burst of one second each one waits for its turn.
    await eventually(`message ${id} waits`, async () => clock.pending > others);
    await clock.advance(10);
    await client.receive('puback');
  }
  await eventually('all are heard', async () => heard.length === 120);
  assert.deepEqual(
    heard,
    Array.from({ length: 120 }, (_, at) => String(at + 1)),
  );
});

test('bytes that are no MQTT end their connection and nothing else', async () => {
  await using scratch = await scratchBroker();
  await using good = await RawClient.connect(scratch.port);
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '\u0010\u0000',
    '\u0000\u0000\u0000',
    '\u0010\u000c\u0000\u0004ABCD\u0004\u0002\u0000<\u0000\u0000',
  ]) {
    await using bad = await RawClient.open(scratch.port);
    bad.sendBytes(Buffer.from(bytes, 'latin1'));
    await bad.closed();
  }
  await good.flushed();
});

async function certificate(folder: string, name: string, issuer?: string): Promise<{ cert: string; key: string }> {
  const file = (kind: string) => join(folder, `${name}.${kind}`);
  const signed =
    issuer === undefined ? [] : ['-CA', join(folder, `${issuer}.crt`), '-CAkey', join(folder, `${issuer}.key`)];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    ...signed,
    '-keyout',
    file('key'),
    '-out',
    file('crt'),
  ]);
  return { cert: await readFile(file('crt'), 'utf8'), key: await readFile(file('key'), 'utf8') };
}

async function scratchFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-mqtt-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test('over TLS a certificate of the trust list is a user, and any other is refused and shown', async (t) => {
  if (!requireSystem(t, 'openssl', 'mosquitto-clients')) return;
  const folder = await scratchFolder(t);
  const server = await certificate(folder, 'broker');
  await certificate(folder, 'plant-ca');
  await certificate(folder, 'press', 'plant-ca');
  await certificate(folder, 'stranger');
  const trusted = [await readFile(join(folder, 'plant-ca.crt'), 'utf8')];
  const trust = { trusted, issuers: [], revocationLists: [] };
  const tls = { certificate: server.cert, key: server.key, trust };
  const config = brokerConfig({
    ...CLOSED,
    listeners: [{ name: 'tls', address: '127.0.0.1', port: 0, tls }],
    users: [{ name: 'press', publish: ['press/#'], subscribe: [] }],
  });
  const broker = await openSiteBroker({ config, clock: systemClock, log: silentLogger });
  try {
    const heard: string[] = [];
    broker.tap('press/#', (topic) => void heard.push(topic));
    const publish = (name: string) =>
      run('mosquitto_pub', [
        '-h',
        '127.0.0.1',
        '-p',
        String(portOf(broker)),
        '-q',
        '1',
        '-t',
        'press/x',
        '-m',
        '1',
        '--cafile',
        join(folder, 'broker.crt'),
        '--cert',
        join(folder, `${name}.crt`),
        '--key',
        join(folder, `${name}.key`),
      ]);
    await publish('press');
    assert.deepEqual(heard, ['press/x']);
    await assert.rejects(publish('stranger'));
    await eventually('the stranger is shown', async () => broker.report().rejected.length === 1);
    assert.match(broker.report().rejected[0]?.subject ?? '', /CN=stranger/);
    assert.deepEqual(heard, ['press/x']);
    const old = connectTls({
      port: portOf(broker),
      host: '127.0.0.1',
      ca: await readFile(join(folder, 'broker.crt')),
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
    });
    await assert.rejects(new Promise((resolve, reject) => old.once('secureConnect', resolve).once('error', reject)));
  } finally {
    await broker.close();
  }
});

test('mosquitto_pub and mosquitto_sub speak with it', async (t) => {
  if (!requireSystem(t, 'mosquitto-clients')) return;
  await using scratch = await scratchBroker({
    ...CLOSED,
    users: [userOf('alice', { publish: ['a/#'], subscribe: ['a/#'] })],
  });
  const common = ['-h', '127.0.0.1', '-p', String(scratch.port), '-u', 'alice', '-P', 'alice-secret', '-q', '2'];
  await run('mosquitto_pub', [...common, '-t', 'a/b', '-m', 'hello', '-r']);
  const { stdout } = await run('mosquitto_sub', [...common, '-t', 'a/+', '-C', '1', '-F', '%t %p %r', '-W', '30']);
  assert.equal(stdout, 'a/b hello 1\n');
});
