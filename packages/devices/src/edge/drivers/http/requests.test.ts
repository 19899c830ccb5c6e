/** Who is asked, with which secret, and what is made of the answer. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import type { RawValue } from '../../../values/encoding.ts';
import { pointOf, settingsOf } from '../../conformance/index.ts';
import type { DeviceSettings, Session } from '../../driver.ts';
import { type DriverError, isDriverError } from '../../driver-error.ts';
import { testAuthority } from '../../testing/certificates.ts';
import { createHttp } from './driver.ts';

const NEVER = new AbortController().signal;
const authority = testAuthority();
const own = authority.issue(['127.0.0.1', 'localhost']);

interface Device extends AsyncDisposable {
  readonly endpoint: string;
  readonly seen: IncomingMessage[];
}

async function serve(server: Server, scheme: string, seen: IncomingMessage[]): Promise<Device> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    endpoint: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function noted(seen: IncomingMessage[], answer: RequestListener): RequestListener {
  return (request, response) => {
    seen.push(request);
    answer(request, response);
  };
}

function plainDevice(answer: RequestListener): Promise<Device> {
  const seen: IncomingMessage[] = [];
  return serve(createServer(noted(seen, answer)), 'http', seen);
}

function tlsDevice(answer: RequestListener, pair = own): Promise<Device> {
  const seen: IncomingMessage[] = [];
  const server = createTlsServer({ cert: pair.certificate, key: pair.key }, noted(seen, answer));
  return serve(server, 'https', seen);
}

interface Rejected {
  readonly certificate: Uint8Array;
  readonly reason: string;
}

async function connect(given: Partial<DeviceSettings>, rejected: Rejected[] = []): Promise<Session> {
  const driver = createHttp({ clock: systemClock });
  return driver.connect(settingsOf({ timeoutMs: 30_000, ...given }), {
    clock: systemClock,
    log: silentLogger,
    signal: NEVER,
    onRejectedCertificate: (certificate, reason) => void rejected.push({ certificate, reason }),
  });
}

type Seen = RawValue | DriverError;

/** What points with these addresses have, read once. */
async function read(session: Session, ...addresses: readonly Readonly<Record<string, unknown>>[]): Promise<Seen[]> {
  const points = addresses.map((address, at) => pointOf(`p${at}`, 'string', address));
  const seen: Seen[] = addresses.map(() => 'nothing');
  const sink = {
    value: (index: number, value: RawValue) => void seen.splice(index, 1, value),
    fail: (index: number, error: DriverError) => void seen.splice(index, 1, error),
  };
  await session.group(points).read(sink, NEVER);
  return seen;
}

/** The value at the address in one answer, or the kind of what is wrong with it. */
async function check(answer: string, address: Readonly<Record<string, unknown>>, expected: Seen): Promise<void> {
  await using device = await plainDevice((_, response) => void response.end(answer));
  const session = await connect({ endpoint: device.endpoint });
  const [seen] = await read(session, { path: '/x', ...address }).catch((error: unknown) => [error as DriverError]);
  await session.close();
  if (isDriverError(seen)) assert.equal(seen.kind, expected);
  else assert.deepEqual(seen, expected);
}

test('a value is a field of the JSON', async () => {
  await check('{"motor": {"speed": 12.5}}', { field: 'motor.speed' }, 12.5);
  await check('{"values": [3, 7]}', { field: 'values.1' }, 7);
  await check('42', {}, 42);
  await check('{"motor": {}}', { field: 'motor.speed' }, 'NotFound');
  await check('{"motor": null}', { field: 'motor' }, 'NotFound');
  await check('{}', { field: 'constructor' }, 'NotFound');
});

test('a value is what an expression matches: a named group, the first one, or all', async () => {
  const text = 'P=12.5 kW, version 3.1';
  await check(text, { match: 'P=(?<unit>x)?(?<value>[0-9.]+)' }, '12.5');
  await check(text, { match: String.raw`version (\S+)` }, '3.1');
  await check(text, { match: '[0-9.]+ kW' }, '12.5 kW');
  await check(text, { match: 'Q=' }, 'NotFound');
});

test('an answer that would keep an expression busy for ever is looked through all the same, and a bad one fails alone', async () => {
  await check(`${'a'.repeat(40)}b`, { match: '(a+)+$' }, 'NotFound');
  await check('ab', { match: '(?=a)' }, 'Misconfigured');
});

test('what is no JSON is an error of the whole answer, and none for expressions', async () => {
  await check('{"a":', { field: 'a' }, 'Malformed');
  await check('', { field: 'a' }, 'Malformed');
  await check('{"a": 1', { match: '"a": (.)' }, '1');
});

test('an answer beyond its bound is given up', async () => {
  await using device = await plainDevice((_, response) => void response.end(`"${'x'.repeat(2000)}"`));
  const session = await connect({ endpoint: device.endpoint, options: { maxAnswerBytes: 1000 } });
  await assert.rejects(read(session, { path: '/' }), /more than 1000 bytes/);
  await session.close();
});

test('an answer that never ends is given up after the time that a request may take', async () => {
  await using device = await plainDevice((_, response) => void response.write('{'));
  const session = await connect({ endpoint: device.endpoint, timeoutMs: 200 });
  await assert.rejects(read(session, { path: '/' }), (error) => isDriverError(error, 'TimedOut'));
  await session.close();
});

for (const [secret, expected] of [
  [{ token: 'abc\n' }, 'Bearer abc'],
  [{ username: 'reader', password: 'söcret' }, `Basic ${Buffer.from('reader:söcret').toString('base64')}`],
  [{}, undefined],
] as const) {
  test(`a Secret with ${Object.keys(secret).join(' and ') || 'nothing'} is shown as ${expected ?? 'nothing'}`, async () => {
    await using device = await plainDevice((_, response) => void response.end('1'));
    const bytes = Object.fromEntries(Object.entries(secret).map(([key, text]) => [key, Buffer.from(text)]));
    const session = await connect({
      endpoint: device.endpoint,
      secret: bytes,
      options: { headers: { 'X-Plant': 'a' } },
    });
    assert.deepEqual(await read(session, { path: '/' }), [1]);
    const [{ headers }] = device.seen as [IncomingMessage];
    assert.deepEqual([headers.authorization, headers['x-plant']], [expected, 'a']);
    await session.close();
  });
}

test('a refusal is AccessDenied, and says with which status', async () => {
  for (const status of [401, 403]) {
    await using device = await plainDevice((_, response) => void response.writeHead(status).end());
    const session = await connect({ endpoint: device.endpoint });
    const [seen] = await read(session, { path: '/' });
    assert.ok(isDriverError(seen, 'AccessDenied') && seen.message.includes(String(status)), String(seen));
    await session.close();
  }
});

test('our secret goes to nobody but the device: neither by a redirection nor by a path that looks like an address', async () => {
  await using other = await plainDevice((_, response) => void response.end('1'));
  const { host } = new URL(other.endpoint);
  await using device = await plainDevice((request, response) => {
    if (request.url === '/moved') response.writeHead(307, { location: `${other.endpoint}/` }).end();
    else response.end('1');
  });
  const session = await connect({ endpoint: device.endpoint, secret: { token: Buffer.from('abc') } });
  const [moved, addressed] = await read(session, { path: '/moved' }, { path: `//${host}/x` });
  assert.ok(isDriverError(moved, 'Rejected') && moved.message.includes('307'), String(moved));
  assert.equal(addressed, 1);
  assert.deepEqual([other.seen.length, device.seen.map(({ url }) => url)], [0, ['/moved', `//${host}/x`]]);
  await session.close();
});

test('requests share a connection, and one that the device has closed is no failure', async () => {
  await using device = await plainDevice((_, response) => void response.end('1'));
  const session = await connect({ endpoint: device.endpoint });
  for (let turn = 0; turn < 3; turn++) assert.deepEqual(await read(session, { path: '/' }), [1]);
  const [first] = device.seen.map(({ socket }) => socket);
  assert.ok(
    device.seen.every(({ socket }) => socket === first),
    'all by one connection',
  );
  first?.destroy();
  assert.deepEqual(await read(session, { path: '/' }), [1]);
  await session.close();
});

const TRUSTED: readonly (readonly [string, () => DeviceSettings['trust']])[] = [
  ['its authority', () => authority.trust],
  ['itself', () => ({ trusted: [own.certificate], issuers: [], revocationLists: [] })],
];

for (const [what, trust] of TRUSTED) {
  test(`over TLS a device is asked whose TrustList has ${what}`, async () => {
    await using device = await tlsDevice((_, response) => void response.end('1'));
    const session = await connect({
      endpoint: device.endpoint,
      trust: trust() as NonNullable<DeviceSettings['trust']>,
    });
    assert.deepEqual(await read(session, { path: '/' }), [1]);
    await session.close();
  });
}

const stranger = testAuthority();
const REFUSED = [
  ['nobody trusts', own, { trusted: [], issuers: [], revocationLists: [] }, /is in no TrustList/],
  ['somebody else has issued', own, stranger.trust, /is in no TrustList/],
  ['only an issuer is known of', own, { trusted: [], issuers: [authority.pem], revocationLists: [] }, /not trusted/],
  ['has expired', authority.issue(['127.0.0.1'], -1000), authority.trust, /has expired/],
  ['is for another host', authority.issue(['other.example']), authority.trust, /does not name this host/],
] as const;

for (const [what, pair, trust, expected] of REFUSED) {
  test(`a certificate that ${what} is refused before anything is said, and shown`, async () => {
    await using device = await tlsDevice((_, response) => void response.end('1'), pair);
    const rejected: Rejected[] = [];
    const connecting = connect({ endpoint: device.endpoint, trust, secret: { token: Buffer.from('abc') } }, rejected);
    await assert.rejects(connecting, (error) => isDriverError(error, 'AccessDenied') && expected.test(error.message));
    assert.equal(device.seen.length, 0);
    const [{ certificate, reason }] = rejected as [Rejected];
    assert.equal(new X509Certificate(certificate).fingerprint256, new X509Certificate(pair.certificate).fingerprint256);
    assert.match(reason, expected);
  });
}

test('without a TrustList a device is asked only by an authority that everybody knows', async () => {
  await using device = await tlsDevice((_, response) => void response.end('1'));
  await assert.rejects(connect({ endpoint: device.endpoint }), (error) => isDriverError(error, 'AccessDenied'));
});

test('a device that speaks no TLS is unreachable by it, and nothing is shown', async () => {
  await using device = await plainDevice((_, response) => void response.end('1'));
  const rejected: Rejected[] = [];
  const endpoint = device.endpoint.replace('http:', 'https:');
  const connecting = connect({ endpoint, trust: authority.trust }, rejected);
  await assert.rejects(connecting, (error) => isDriverError(error, 'Unreachable'));
  assert.equal(rejected.length, 0);
});
