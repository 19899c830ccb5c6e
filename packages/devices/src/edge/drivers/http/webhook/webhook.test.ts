/** Devices that post: who may, what is taken, and what happens to everybody else. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect as connectSocket, type Socket } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { freePort } from '@skerry/testkit/processes';
import type { RawValue } from '../../../../values/encoding.ts';
import { pointOf, settingsOf } from '../../../conformance/index.ts';
import type { DeviceSettings, Driver, Point, Session } from '../../../driver.ts';
import { type DriverError, isDriverError } from '../../../driver-error.ts';
import { testAuthority } from '../../../testing/certificates.ts';
import { createHttp } from '../driver.ts';

const NEVER = new AbortController().signal;
const POINTS = [
  pointOf('speed', 'float64', { field: 'motor.speed', timePath: 'at' }),
  pointOf('state', 'string', { match: '"state": *"(?<value>[a-z]+)"' }),
];

interface Heard {
  readonly index: number;
  readonly value: RawValue | DriverError;
  readonly time?: number | undefined;
}

interface Bench extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly driver: Driver;
  readonly session: Session;
  readonly port: number;
  readonly heard: Heard[];
}

interface Options {
  readonly webhook?: Readonly<Record<string, unknown>>;
  readonly secret?: Readonly<Record<string, string>>;
  readonly site?: DeviceSettings['site'];
  readonly points?: readonly Point[];
}

function settingsFor(name: string, port: number, { webhook, secret = {}, site }: Options): DeviceSettings {
  const bytes = Object.fromEntries(Object.entries(secret).map(([key, text]) => [key, Buffer.from(text)]));
  return settingsOf({
    name,
    options: { webhook: { address: '127.0.0.1', port, path: `/${name}`, security: 'Plain', ...webhook } },
    secret: bytes,
    ...(site === undefined ? {} : { site }),
  });
}

async function follow(session: Session, points: readonly Point[] = POINTS): Promise<Heard[]> {
  const heard: Heard[] = [];
  const sink = {
    value: (index: number, value: RawValue, time?: number) => void heard.push({ index, value, time }),
    fail: (index: number, value: DriverError) => void heard.push({ index, value }),
  };
  await session.subscribe?.(points, sink, NEVER);
  return heard;
}

/** A device named `press` that posts to `/press`; without authentication unless the options say otherwise. */
async function open(options: Options = {}): Promise<Bench> {
  const clock = fakeClock();
  const driver = createHttp({ clock });
  const port = await freePort();
  const given = { ...options, webhook: { authentication: 'None', ...options.webhook } };
  const session = await driver.connect(settingsFor('press', port, given), { clock, log: silentLogger, signal: NEVER });
  const heard = await follow(session, options.points);
  return { clock, driver, session, port, heard, [Symbol.asyncDispose]: () => session.close() };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

async function post(
  port: number,
  body: string | Uint8Array,
  { path = '/press', ca, ...given }: RequestOptions & { readonly ca?: string } = {},
): Promise<Answer> {
  const options = { host: '127.0.0.1', port, path, method: 'POST', agent: false, ...given };
  const outgoing = ca === undefined ? plainRequest(options) : tlsRequest({ ...options, ca });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString(), headers: answer.headers };
}

async function status(...given: Parameters<typeof post>): Promise<number> {
  return (await post(...given)).status;
}

const BODY = JSON.stringify({ at: '2026-01-01T00:00:00Z', motor: { speed: 12.5 }, state: 'on' }, undefined, 1);

test('what a device posts are the values of its properties, with their own time', async () => {
  await using bench = await open();
  assert.equal(await status(bench.port, BODY), 204);
  assert.deepEqual(bench.heard, [
    { index: 0, value: 12.5, time: Date.parse('2026-01-01T00:00:00Z') },
    { index: 1, value: 'on', time: bench.clock.now() },
  ]);
});

test('a post need not have everything, and what it lacks stays as it was', async () => {
  await using bench = await open();
  assert.equal(await status(bench.port, '{"motor": {"speed": 1}}', { method: 'PUT' }), 204);
  assert.equal(await status(bench.port, '{"state": "off"}'), 204);
  assert.deepEqual(
    bench.heard.map(({ index, value }) => [index, value]),
    [
      [0, 1],
      [1, 'off'],
    ],
  );
});

test('a property that is asked for in between has what was posted last', async () => {
  await using bench = await open();
  const seen: unknown[] = [];
  const sink = {
    value: (index: number, value: RawValue) => void seen.push([index, value]),
    fail: (index: number, error: DriverError) => void seen.push([index, error.kind]),
  };
  const group = bench.session.group(POINTS);
  await group.read(sink, NEVER);
  await post(bench.port, '{"motor": {"speed": 3}}');
  await group.read(sink, NEVER);
  assert.deepEqual(seen, [
    [0, 'NotFound'],
    [1, 'NotFound'],
    [0, 3],
    [1, 'NotFound'],
  ]);
});

test('bodies that are no JSON, no text, or have nothing of the device are refused in words', async () => {
  await using bench = await open();
  const refusals: [number, string][] = [];
  for (const body of ['{"motor":', '{"other": 1}', Uint8Array.of(0xc3, 0x28), '']) {
    const answer = await post(bench.port, body);
    refusals.push([answer.status, answer.text.trim()]);
  }
  assert.deepEqual(refusals, [
    [400, 'the body is no JSON'],
    [422, 'nothing in the body is a property'],
    [400, 'the body is no text in UTF-8'],
    [400, 'the body is no JSON'],
  ]);
  assert.deepEqual(bench.heard, []);
});

function signed(key: string, body: string, encoding: 'hex' | 'base64' = 'hex'): string {
  return createHmac('sha256', key).update(body).digest(encoding);
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const DOORS = [
  {
    authentication: undefined,
    secret: { 'webhook-token': 'right\n' },
    right: [{ authorization: 'Bearer right' }, { authorization: 'bearer right' }],
    wrong: [{}, { authorization: 'Bearer wrong' }, { authorization: 'right' }, { authorization: basic('right:right') }],
  },
  {
    authentication: 'Basic',
    secret: { 'webhook-username': 'press', 'webhook-password': 'a:b' },
    right: [{ authorization: basic('press:a:b') }],
    wrong: [{}, ...['press:a', 'other:a:b', 'press', ':'].map((text) => ({ authorization: basic(text) }))],
  },
  {
    authentication: 'Signature',
    secret: { 'webhook-key': 'key' },
    right: [
      { 'x-hub-signature-256': `sha256=${signed('key', BODY)}` },
      { 'x-hub-signature-256': signed('key', BODY, 'base64') },
    ],
    wrong: [
      {},
      { 'x-hub-signature-256': 'sha256=' },
      { 'x-hub-signature-256': signed('other', BODY) },
      { 'x-hub-signature-256': signed('key', `${BODY} `) },
    ],
  },
] as const;

for (const { authentication, secret, right, wrong } of DOORS) {
  const name = authentication ?? 'Token, which is what is asked without a word';
  test(`who shows the right secret is heard, and nobody else: ${name}`, async () => {
    await using bench = await open({ webhook: { authentication }, secret });
    for (const headers of wrong) {
      const answer = await post(bench.port, BODY, { headers });
      assert.equal(answer.status, 401, JSON.stringify(headers));
      assert.match(answer.headers['www-authenticate'] ?? '', /Bearer/);
    }
    assert.deepEqual(bench.heard, []);
    for (const headers of right) assert.equal(await status(bench.port, BODY, { headers }), 204);
    assert.equal(bench.heard.length, 2 * right.length);
  });

  test(`without the secret nobody listens: ${name}`, async () => {
    await assert.rejects(open({ webhook: { authentication } }), (error) => isDriverError(error, 'Misconfigured'));
    const empty = Object.fromEntries(Object.keys(secret).map((key) => [key, ' \n']));
    await assert.rejects(open({ webhook: { authentication }, secret: empty }), /the Secret has no webhook-/);
  });
}

test('who shows no secret often is cut off, and the device is heard all the same', async () => {
  await using bench = await open({ webhook: { authentication: 'Token' }, secret: { 'webhook-token': 'right' } });
  const outcomes: (number | 'cut')[] = [];
  for (let at = 0; at < 25; at++)
    outcomes.push(
      await status(bench.port, BODY, { path: at % 2 === 0 ? '/press' : '/no' }).catch(() => 'cut' as const),
    );
  assert.deepEqual(outcomes.slice(0, 4), [401, 404, 401, 404]);
  assert.deepEqual(outcomes.slice(20), ['cut', 'cut', 'cut', 'cut', 'cut']);
  assert.equal(await status(bench.port, BODY, { headers: { authorization: 'Bearer right' } }), 204);
});

test('a device that posts more often than it may is told to wait, and heard again later', async () => {
  await using bench = await open({ webhook: { maxPerSecond: 2 } });
  const answers = [await post(bench.port, BODY), await post(bench.port, BODY), await post(bench.port, BODY)];
  assert.deepEqual(
    answers.map((each) => each.status),
    [204, 204, 429],
  );
  assert.equal(answers[2]?.headers['retry-after'], '1');
  await bench.clock.advance(500);
  assert.equal(await status(bench.port, BODY), 204);
});

interface Raw {
  readonly socket: Socket;
  /** All that was answered, once the connection is at its end. */
  readonly answered: Promise<string>;
  /** The beginning of it. */
  readonly first: Promise<string>;
}

/** Sends bytes that no client would. */
async function raw(port: number, ...parts: readonly string[]): Promise<Raw> {
  const socket = connectSocket(port, '127.0.0.1');
  const first = Promise.withResolvers<string>();
  let text = '';
  socket.on('data', (bytes) => {
    text += String(bytes);
    first.resolve(text);
  });
  // Some are cut off with a reset.
  socket.on('error', () => {});
  const answered = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', resolve));
  for (const part of parts) socket.write(part);
  return { socket, answered, first: first.promise };
}

const HEAD = 'POST /press HTTP/1.1\r\nHost: x\r\n';

test('a body that is too large is refused when it is announced, and when it comes without a word', async () => {
  await using bench = await open({ webhook: { maxBodyBytes: 100 } });
  assert.equal(await status(bench.port, `{"motor": {"speed": 1}}${' '.repeat(77)}`), 204);
  const announced = await raw(bench.port, `${HEAD}Content-Length: 101\r\n\r\n`);
  assert.match(await announced.answered, /^HTTP\/1.1 413 /);
  const chunked = await raw(bench.port, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, `65\r\n${'x'.repeat(101)}\r\n`);
  assert.match(await chunked.answered, /^HTTP\/1.1 413 /);
});

test('a body that comes too slowly is cut off', async () => {
  await using bench = await open({ webhook: { bodyTimeout: '5s' } });
  const slow = await raw(bench.port, `${HEAD}Content-Length: 10\r\nExpect: 100-continue\r\n\r\n`, '{');
  assert.match(await slow.first, /^HTTP\/1.1 100 /);
  await bench.clock.advance(5000);
  assert.match(await slow.answered, /HTTP\/1.1 408 /);
});

test('headers that are too large end the connection, and so does what is no HTTP', async () => {
  await using bench = await open();
  for (const bytes of [`${HEAD}x: ${'x'.repeat(20_000)}\r\n\r\n`, '\u0010\u000c\u0000\u0004MQTT', 'GET\r\n\r\n']) {
    const bad = await raw(bench.port, bytes);
    assert.doesNotMatch(await bad.answered, /^HTTP\/1.1 2/);
  }
  assert.equal(await status(bench.port, BODY), 204);
});

test('beyond so many connections nobody more is taken in', async () => {
  await using bench = await open();
  const sockets = await Promise.all(Array.from({ length: 256 }, () => raw(bench.port)));
  const late = await raw(bench.port, `${HEAD}Content-Length: 0\r\n\r\n`);
  assert.equal(await late.answered, '');
  for (const { socket } of sockets) socket.destroy();
});

test('other methods and other paths lead nowhere', async () => {
  await using bench = await open();
  const got = await post(bench.port, '', { method: 'GET' });
  assert.deepEqual([got.status, got.headers.allow], [405, 'POST, PUT']);
  assert.equal(await status(bench.port, BODY, { path: '/press/' }), 404);
  assert.equal(await status(bench.port, BODY, { path: '/other' }), 404);
  assert.equal(await status(bench.port, BODY, { path: '/press?id=7' }), 204);
});

test('devices share a listener by their paths, and it ends with the last of them', async () => {
  const bench = await open();
  const context = { clock: bench.clock, log: silentLogger, signal: NEVER };
  const connect = (name: string, webhook: Readonly<Record<string, unknown>> = {}) =>
    bench.driver.connect(settingsFor(name, bench.port, { webhook: { authentication: 'None', ...webhook } }), context);
  const other = await connect('scale');
  const heard = await follow(other);
  assert.equal(await status(bench.port, '{"state": "on"}', { path: '/scale' }), 204);
  assert.deepEqual([heard.length, bench.heard.length], [1, 0]);
  await assert.rejects(connect('thief', { path: '/press' }), /device default\/press has the path \/press/);
  await bench.session.close();
  assert.equal(await status(bench.port, BODY), 404);
  assert.equal(await status(bench.port, '{"state": "off"}', { path: '/scale' }), 204);
  await other.close();
  await assert.rejects(status(bench.port, BODY), /ECONNREFUSED/);
  const again = await connect('press');
  assert.equal(await status(bench.port, BODY), 503, 'nobody has asked for its properties yet');
  await again.close();
});

test('an address that is taken is said in words', async () => {
  await using bench = await open();
  const other = createHttp({ clock: bench.clock });
  const settings = settingsFor('press', bench.port, { webhook: { authentication: 'None' } });
  await assert.rejects(
    other.connect(settings, { clock: bench.clock, log: silentLogger, signal: NEVER }),
    /cannot listen at 127.0.0.1 port \d+: EADDRINUSE/,
  );
});

const authority = testAuthority();
const siteOf = (names: readonly string[]) => ({ ...authority.issue(names), authority: authority.pem });
const TLS = { security: 'Tls', authentication: 'None' };

test('over TLS it is the site, or what the Secret says that it is', async () => {
  await using bySite = await open({ webhook: TLS, site: siteOf(['127.0.0.1']) });
  assert.equal(await status(bySite.port, BODY, { ca: authority.pem }), 204);
  const { certificate, key } = authority.issue(['127.0.0.1']);
  await using bySecret = await open({ webhook: TLS, secret: { 'tls.crt': certificate, 'tls.key': key } });
  assert.equal(await status(bySecret.port, BODY, { ca: authority.pem }), 204);
  await assert.rejects(status(bySecret.port, BODY), 'nothing is heard without TLS');
});

test('devices that share a listener agree about the names of its certificate', async () => {
  await using bench = await open({ webhook: TLS, site: siteOf(['127.0.0.1']) });
  const context = { clock: bench.clock, log: silentLogger, signal: NEVER };
  const scale = settingsFor('scale', bench.port, { webhook: TLS, site: siteOf(['127.0.0.1', 'scale.example']) });
  await assert.rejects(bench.driver.connect(scale, context), /secures the same address in another way/);
  assert.equal(await status(bench.port, BODY, { ca: authority.pem }), 204);
});

test('a certificate of another key, and one that is none, is said in words', async () => {
  const [one, other] = [authority.issue(['127.0.0.1']), authority.issue(['127.0.0.1'])];
  for (const certificate of [other.certificate, 'none']) {
    const secret = { 'tls.crt': certificate, 'tls.key': one.key };
    await assert.rejects(open({ webhook: TLS, secret }), (error) => isDriverError(error, 'Misconfigured'));
  }
});

test('without a certificate nobody listens, and a listener is either encrypted for all devices or for none', async () => {
  await assert.rejects(open({ webhook: TLS }), /the Secret has no tls.crt and tls.key/);
  await using plain = await open();
  const context = { clock: plain.clock, log: silentLogger, signal: NEVER };
  const scale = settingsFor('scale', plain.port, { webhook: TLS, site: siteOf(['127.0.0.1']) });
  await assert.rejects(
    plain.driver.connect(scale, context),
    /device default\/press secures the same address in another way/,
  );
});

test('a certificate that the site has renewed is seen by who comes then, and ends no connection', async () => {
  await using bench = await open({ webhook: TLS, site: siteOf(['127.0.0.1']) });
  const context = { clock: bench.clock, log: silentLogger, signal: NEVER };
  const held = tlsRequest({ host: '127.0.0.1', port: bench.port, path: '/press', method: 'POST', ca: authority.pem });
  held.write('{"motor": {"speed": 1');
  await once(held, 'socket').then(([socket]) => once(socket as Socket, 'secureConnect'));
  const renewed = testAuthority();
  const site = { ...renewed.issue(['127.0.0.1']), authority: renewed.pem };
  const scale = await bench.driver.connect(settingsFor('scale', bench.port, { webhook: TLS, site }), context);
  assert.equal(await status(bench.port, BODY, { ca: renewed.pem }), 204);
  held.end('}}');
  const [answer] = (await once(held, 'response')) as [IncomingMessage];
  assert.equal(answer.statusCode, 204);
  answer.resume();
  await scale.close();
});

test('a device is asked and heard at once, and what it is asked for is not waited for', async () => {
  const clock = fakeClock();
  const driver = createHttp({ clock });
  await using device = await open();
  const settings = settingsFor('both', 0, { webhook: { authentication: 'None' } });
  const endpoint = `http://127.0.0.1:${device.port}`;
  const session = await driver.connect({ ...settings, endpoint }, { clock, log: silentLogger, signal: NEVER });
  const heard = await follow(session, [pointOf('asked', 'float64', { path: '/x' })]);
  assert.ok(isDriverError(heard[0]?.value, 'Misconfigured'));
  const seen: unknown[] = [];
  const sink = { value: () => {}, fail: (_: number, error: DriverError) => void seen.push(error.message) };
  await session.group([pointOf('asked', 'float64', { path: '/x' })]).read(sink, NEVER);
  assert.deepEqual(seen, ['the device answered 404']);
  await session.close();
});
