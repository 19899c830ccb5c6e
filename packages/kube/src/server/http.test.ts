import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import type { Authenticator } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { type HttpsOptions, type Listener, listenHttps, listenUnix } from './http.ts';
import type { HttpLimits } from './limits.ts';
import { scratchServer } from './testing/scratch-server.ts';
import { CLIENT, SERVER, STRANGER } from './testing/tls-keys.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

/** Knows the token `good`, and whoever brings a certificate of the authority. */
const authenticator: Authenticator = {
  authenticate: ({ bearerToken, peerCertificate }) => {
    const user = { kind: 'user', user: { username: 'bob', groups: ['team'] } } as const;
    if (bearerToken !== undefined) {
      return Promise.resolve(bearerToken === 'good' ? user : { kind: 'refused', reason: 'unknown token' });
    }
    if (peerCertificate === undefined) return Promise.resolve({ kind: 'anonymous' });
    return Promise.resolve(peerCertificate.authorized ? user : { kind: 'refused', reason: 'not of this authority' });
  },
};

interface Running extends AsyncDisposable {
  readonly listener: Listener;
  readonly scratch: ReturnType<typeof scratchServer>;
  readonly ask: (
    method: string,
    path: string,
    options?: Partial<RequestOptions> & { body?: string },
  ) => Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

async function running(limits: Partial<HttpLimits> = {}, more: Partial<HttpsOptions> = {}): Promise<Running> {
  const scratch = scratchServer();
  const listener = await listenHttps({
    server: scratch.server,
    authenticator,
    log: silentLogger,
    host: '127.0.0.1',
    port: 0,
    tls: SERVER,
    limits,
    ...more,
  });
  return {
    listener,
    scratch,
    ask: (method, path, { body, ...options } = {}) => {
      const to = { host: '127.0.0.1', port: listener.port, ca: SERVER.ca as string, agent: false, method, path };
      const headers = { authorization: 'Bearer good', ...(options.headers as Record<string, string>) };
      return answerOf(httpsRequest({ ...to, ...options, headers }), body);
    },
    [Symbol.asyncDispose]: () => listener.close(0),
  };
}

async function answerOf(request: ClientRequest, body: string | undefined): Promise<Answer> {
  request.end(body);
  const [message] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return { status: message.statusCode ?? 0, headers: message.headers, body: Buffer.concat(chunks) };
}

const NO_TOKEN = { headers: { authorization: '' } };

test('whoever is not known gets 401, save where anybody may ask', async () => {
  await using server = await running();
  assert.equal((await server.ask('GET', MAPS)).status, 200);
  assert.equal((await server.ask('GET', MAPS, NO_TOKEN)).status, 401);
  assert.equal((await server.ask('GET', MAPS, { headers: { authorization: 'Bearer bad' } })).status, 401);
  assert.equal((await server.ask('GET', '/readyz', NO_TOKEN)).status, 200);
  assert.equal((await server.ask('GET', '/version', NO_TOKEN)).status, 200);
  assert.equal((await server.ask('GET', '/versions', NO_TOKEN)).status, 401);
  assert.equal((await server.ask('GET', '/metrics', NO_TOKEN)).status, 401);
});

test('a certificate counts when the authority signed it, and refuses even public paths when not', async () => {
  await using server = await running();
  assert.equal((await server.ask('GET', MAPS, { ...NO_TOKEN, ...CLIENT })).status, 200);
  assert.equal((await server.ask('GET', MAPS, { ...NO_TOKEN, ...STRANGER })).status, 401);
  assert.equal((await server.ask('GET', '/readyz', { ...NO_TOKEN, ...STRANGER })).status, 401);
});

test('TLS below 1.2 is refused', async () => {
  await using server = await running();
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await assert.rejects(server.ask('GET', '/readyz', old));
});

test('a body over the limit is 413, declared or not, and others are served', async () => {
  await using server = await running({ maxBodyBytes: 1000 });
  const body = 'x'.repeat(2000);
  const declared = await server.ask('POST', MAPS, { body });
  assert.equal(declared.status, 413);
  assert.equal(JSON.parse(declared.body.toString()).reason, 'RequestEntityTooLarge');
  const chunked = await server.ask('POST', MAPS, { body, headers: { 'transfer-encoding': 'chunked' } });
  assert.equal(chunked.status, 413);
  const huge = await server
    .ask('POST', MAPS, { headers: { 'content-length': '1073741824', expect: '100-continue' } })
    .catch(() => undefined);
  assert.ok(huge === undefined || huge.status === 413);
  assert.equal((await server.ask('GET', MAPS)).status, 200);
});

test('headers over the limit are refused', async () => {
  await using server = await running({ maxHeaderBytes: 2000 });
  const { status } = await server.ask('GET', MAPS, { headers: { 'x-long': 'x'.repeat(4000) } });
  assert.equal(status, 431);
});

test('large answers are compressed for those who take that', async () => {
  await using server = await running();
  const body = JSON.stringify({ metadata: { name: 'm' }, data: { big: 'x'.repeat(200_000) } });
  assert.equal((await server.ask('POST', MAPS, { body })).status, 201);
  const zipped = await server.ask('GET', MAPS, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  assert.ok(zipped.body.length < 20_000);
  assert.equal(JSON.parse(gunzipSync(zipped.body).toString()).items.length, 1);
  const plain = await server.ask('GET', MAPS, { headers: { 'accept-encoding': 'gzip;q=0' } });
  assert.equal(plain.headers['content-encoding'], undefined);
});

test('a watch streams as things happen, and ends when its client goes', async () => {
  await using server = await running();
  const to = { host: '127.0.0.1', port: server.listener.port, ca: SERVER.ca as string, agent: false };
  const watching = httpsRequest({ ...to, path: `${MAPS}?watch=1`, headers: { authorization: 'Bearer good' } });
  watching.end();
  const [message] = (await once(watching, 'response')) as [IncomingMessage];
  const body = JSON.stringify({ metadata: { name: 'm' } });
  await server.ask('POST', MAPS, { body });
  const [chunk] = (await once(message, 'data')) as [Buffer];
  assert.equal(JSON.parse(chunk.toString()).type, 'ADDED');
  watching.destroy();
  const isOver = async () => (await server.scratch.ask('GET', '/metrics')).text.includes('apiserver_watchers 0');
  for (let turn = 0; turn < 100 && !(await isOver()); turn++) await new Promise(setImmediate);
  assert.ok(await isOver());
});

test('a request for an upgrade that is not permitted is answered in HTTP', async () => {
  await using server = await running();
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket' };
  const missing = await server.ask('GET', '/api/v1/namespaces/default/pods/none/exec?command=ls&stdout=1', {
    headers: upgrade,
  });
  assert.equal(missing.status, 404);
  assert.equal(JSON.parse(missing.body.toString()).reason, 'NotFound');
  const unknown = await server.ask('GET', MAPS, { headers: { ...upgrade, authorization: 'Bearer bad' } });
  assert.equal(unknown.status, 401);
});

/** Resolves when the server has closed the connection. */
async function untilClosed(socket: TLSSocket): Promise<void> {
  socket.on('error', () => {});
  socket.resume();
  // Not `once` of node:events: that rejects for the error which may come first.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

test('a refused upgrade frees its connection, though the client left a byte and never closes', async () => {
  await using server = await running();
  const at = { host: '127.0.0.1', port: server.listener.port ?? 0, ca: SERVER.ca as string, allowHalfOpen: true };
  const socket = connect(at);
  socket.write(`GET ${MAPS} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nx`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 401 /);
  while (server.listener.connections > 0) await new Promise(setImmediate);
  socket.destroy();
});

test('a connection keeps nothing of the requests that were answered on it', async () => {
  const signals: (AbortSignal | undefined)[] = [];
  const stub: HttpsOptions['server'] = {
    handle: ({ signal }) => {
      signals.push(signal);
      return Promise.resolve({ status: 200, headers: {}, body: '{}' });
    },
    planUpgrade: () => Promise.reject(new Error('no upgrades here')),
  };
  await using server = await running({}, { server: stub });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let count = 0; count < 50; count++) await server.ask('GET', MAPS, { agent });
  assert.equal(server.listener.connections, 1);
  agent.destroy();
  while (server.listener.connections > 0) await new Promise(setImmediate);
  assert.deepEqual(
    signals.map((signal) => signal?.aborted),
    Array.from({ length: 50 }, () => false),
  );
});

test('the signal of a request aborts when its client goes before the answer', async () => {
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<AbortSignal | undefined>();
  const stub: HttpsOptions['server'] = {
    handle: ({ signal }) => {
      onAsked(signal);
      return new Promise(() => {});
    },
    planUpgrade: () => Promise.reject(new Error('no upgrades here')),
  };
  await using server = await running({}, { server: stub });
  const socket = connect({ host: '127.0.0.1', port: server.listener.port ?? 0, ca: SERVER.ca as string });
  socket.write(`GET ${MAPS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good\r\n\r\n`);
  const signal = await asked;
  assert.equal(signal?.aborted, false);
  socket.destroy();
  while (signal?.aborted === false) await new Promise(setImmediate);
});

test('a client that drips its request is cut off', async () => {
  await using server = await running({ headersMs: 100, requestMs: 150 });
  const socket = connect({ host: '127.0.0.1', port: server.listener.port ?? 0, ca: SERVER.ca as string });
  await once(socket, 'secureConnect');
  socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n');
  await untilClosed(socket);
});

test('connections over the limit are cut, and the others go on', async () => {
  await using server = await running({ maxConnectionsPerPeer: 2 });
  const open = () => connect({ host: '127.0.0.1', port: server.listener.port ?? 0, ca: SERVER.ca as string });
  const kept = [open(), open()];
  for (const socket of kept) await once(socket, 'secureConnect');
  await untilClosed(open());
  assert.equal(server.listener.connections, 2);
  for (const socket of kept) socket.destroy();
});

test('an address that keeps failing to say who it is is told to wait, and others behind it are served', async () => {
  await using server = await running({ refusals: { perSecond: 0.001, burst: 3 } });
  const statuses: number[] = [];
  for (let count = 0; count < 5; count++) statuses.push((await server.ask('GET', MAPS, NO_TOKEN)).status);
  assert.deepEqual(statuses, [401, 401, 401, 429, 429]);
  assert.equal((await server.ask('GET', MAPS)).status, 200);
});

test('a token may come as a subprotocol, as browsers bring it', async () => {
  await using server = await running();
  const token = Buffer.from('good').toString('base64url');
  const headers = {
    authorization: '',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-protocol': `base64url.bearer.authorization.k8s.io.${token}, v5.channel.k8s.io`,
  };
  assert.equal(
    (await server.ask('GET', '/api/v1/namespaces/default/pods/none/exec?command=ls&stdout=1', { headers })).status,
    404,
  );
});

test('a new certificate is used by new connections', async () => {
  await using server = await running();
  server.listener.setTls({ ...STRANGER, ca: SERVER.ca });
  await assert.rejects(server.ask('GET', '/readyz'), /self-signed certificate/);
});

test('the connections of one client certificate are ended at once, and no others', async () => {
  await using server = await running();
  const open = async (credential: object) => {
    const at = { host: '127.0.0.1', port: server.listener.port ?? 0, ca: SERVER.ca as string };
    const socket = connect({ ...at, ...credential });
    // Only an answer says that the server has seen the certificate.
    socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'data');
    return socket;
  };
  const [bob, nobody] = [await open(CLIENT), await open({})];
  const ended = untilClosed(bob);
  assert.equal(
    server.listener.disconnect((certificate) => Buffer.from(certificate).includes('bob')),
    1,
  );
  await ended;
  assert.equal(nobody.destroyed, false);
  nobody.destroy();
});

test('closing lets go of idle connections and ends watches', async () => {
  const server = await running();
  const socket = connect({ host: '127.0.0.1', port: server.listener.port ?? 0, ca: SERVER.ca as string });
  await once(socket, 'secureConnect');
  server.scratch.server.close();
  await server.listener.close(100);
  await untilClosed(socket);
});

test('closing cuts a connection that was upgraded, after its grace', async () => {
  const upgrades: HttpsOptions['upgrades'] = ({ socket }) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n');
    return new Promise(() => {});
  };
  const server = await running({}, { upgrades });
  const socket = connect({ host: '127.0.0.1', port: server.listener.port ?? 0, ca: SERVER.ca as string });
  const upgrade = 'connection: Upgrade\r\nupgrade: websocket\r\nauthorization: Bearer good';
  socket.write(`GET ${MAPS}?watch=1 HTTP/1.1\r\nhost: x\r\n${upgrade}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 101 /);
  await server.listener.close(50);
  await untilClosed(socket);
});

test('the unix socket serves its owner alone', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skerry-unix-'));
  const socketPath = join(directory, 'api.sock');
  const { server } = scratchServer();
  const listener = await listenUnix({ server, authenticator, log: silentLogger, path: socketPath });
  try {
    assert.equal((await stat(socketPath)).mode & 0o777, 0o600);
    const headers = { authorization: 'Bearer good' };
    assert.equal(
      (await answerOf(httpRequest({ socketPath, path: MAPS, headers, agent: false }), undefined)).status,
      200,
    );
    assert.equal((await answerOf(httpRequest({ socketPath, path: MAPS, agent: false }), undefined)).status, 401);
  } finally {
    await listener.close(0);
    await rm(directory, { recursive: true });
  }
});
