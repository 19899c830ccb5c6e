import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import tls, { type ConnectionOptions } from 'node:tls';
import { type Clock, silentLogger, systemClock } from '@skerry/base';
import fc from 'fast-check';
import {
  type Credential,
  certificateToPem,
  clientProfile,
  createAuthority,
  credentialToPem,
  DAY_MS,
  issueCredential,
  openPki,
  validFor,
} from '../pki/index.ts';
import { readFirstBytes } from './client-hello.ts';
import {
  createEnrolment,
  createLinkListener,
  createRevocations,
  ENROL_PROTOCOL,
  formatJoinToken,
  hashSecret,
  joinCloud,
  type ListenerLimits,
  linkTlsOptions,
  memoryJoinTokenStore,
  newTokenSecret,
  nodeDoor,
  nodeProfile,
  renewIdentity,
} from './index.ts';

const closers: (() => Promise<unknown>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

/** A listener on a port of its own; its links are echoed after the word `hello NODE`. */
async function startCloud(limits: Partial<ListenerLimits> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-listener-'));
  const state = { ahead: 0 };
  const clock: Clock = { ...systemClock, now: () => Date.now() + state.ahead };
  const pki = openPki(directory, { clock: systemClock, names: [] });
  const revocations = createRevocations();
  const tokens = memoryJoinTokenStore();
  const enrolment = createEnrolment({ authority: pki.authority, tokens, revocations, clock });
  const listener = createLinkListener({
    pki,
    enrolment,
    revocations,
    clock,
    log: silentLogger,
    limits,
    onLink: (_request, socket, _head, { node }) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\nhello ${node}`);
      socket.on('error', () => socket.destroy());
    },
  });
  const port = await listener.listen(0, '127.0.0.1');
  closers.push(async () => {
    await listener.close();
    rmSync(directory, { recursive: true });
  });
  const issueNode = (node: string, { at = Date.now(), by = pki.authority } = {}) =>
    issueCredential(by, nodeProfile(node, at), { now: at });
  const createToken = async (node: string) => {
    const { id, secret } = newTokenSecret();
    await tokens.create({ id, node, secretHash: hashSecret(secret), expiresAt: Date.now() + 60_000 });
    return formatJoinToken({ addresses: [`127.0.0.1:${port}`], caHash: pki.caFingerprint, id, secret, node });
  };
  return { port, pki, revocations, listener, issueNode, createToken, state, clock };
}

type Cloud = Awaited<ReturnType<typeof startCloud>>;

interface Link {
  readonly socket: tls.TLSSocket;
  /** `hello NODE`, or the empty text when the cloud closed first. */
  readonly hello: string;
}

/** Dials as an edge does and waits for the application's hello: in TLS 1.3 the client's handshake succeeds before the server looks. */
async function dial(cloud: Cloud, credential?: Credential, options: ConnectionOptions = {}): Promise<Link> {
  const identity = credential ? credentialToPem(credential) : {};
  const socket = tls.connect({
    port: cloud.port,
    host: '127.0.0.1',
    ...linkTlsOptions(cloud.pki.caPem),
    ...identity,
    ...options,
  });
  closers.push(async () => socket.destroy());
  let text = '';
  socket.on('error', () => {});
  socket.write('GET /link HTTP/1.1\r\nHost: cloud\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
  const hello = await new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (/hello \S+$/.test(text)) resolve(text.slice(text.indexOf('hello')));
    });
    socket.on('close', () => resolve(''));
  });
  return { socket, hello };
}

async function check(
  given: { credential?: (cloud: Cloud) => Credential; options?: ConnectionOptions },
  expected: string,
): Promise<void> {
  const cloud = await startCloud();
  const { hello } = await dial(cloud, given.credential?.(cloud), given.options);
  assert.equal(hello, expected);
}

test('a node with a valid certificate gets through', () =>
  check({ credential: (cloud) => cloud.issueNode('a') }, 'hello a'));
test('no client certificate gets nothing', () => check({}, ''));
test('a certificate of another authority gets nothing', () =>
  check({ credential: (cloud) => cloud.issueNode('a', { by: createAuthority({ now: Date.now() }) }) }, ''));
test('an expired certificate gets nothing', () =>
  check({ credential: (cloud) => cloud.issueNode('a', { at: Date.now() - 2 * DAY_MS }) }, ''));
test('TLS 1.2 gets nothing', () =>
  check(
    { credential: (cloud) => cloud.issueNode('a'), options: { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } },
    '',
  ));
test('a valid certificate that is not a node’s gets nothing', () =>
  check(
    {
      credential: (cloud) =>
        issueCredential(cloud.pki.authority, clientProfile('admin', ['system:masters'], validFor(Date.now(), DAY_MS)), {
          now: Date.now(),
        }),
    },
    '',
  ));

test('a certificate that expired since, or was revoked, gets nothing although the handshake would pass', async () => {
  const cloud = await startCloud();
  const credential = cloud.issueNode('a');
  assert.equal((await dial(cloud, credential)).hello, 'hello a');
  cloud.state.ahead = 2 * DAY_MS;
  assert.equal((await dial(cloud, credential)).hello, '');
});

/** The status that a link request is answered with; undefined when the connection was just closed. */
function statusOf(cloud: Cloud, credential: Credential): Promise<number | undefined> {
  const { port, pki } = cloud;
  const options = { host: '127.0.0.1', port, agent: false as const, ...linkTlsOptions(pki.caPem) };
  return new Promise((resolve) => {
    const headers = { connection: 'Upgrade', upgrade: 'test' };
    const request = https.get({ ...options, ...credentialToPem(credential), headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    request.on('error', () => resolve(undefined));
  });
}

test('the holder of a certificate of ours hears why it does not hold, a stranger hears nothing', async () => {
  const cloud = await startCloud();
  const node = cloud.issueNode('a');
  assert.equal(await statusOf(cloud, node), 101);
  assert.equal(await statusOf(cloud, cloud.issueNode('a', { at: Date.now() - 2 * DAY_MS })), 401);
  assert.equal(await statusOf(cloud, cloud.issueNode('a', { at: Date.now() + 2 * DAY_MS })), 401);
  cloud.revocations.revoke('a', Date.now() + 1);
  assert.equal(await statusOf(cloud, node), 403);
  const stranger = createAuthority({ now: Date.now() });
  assert.equal(await statusOf(cloud, cloud.issueNode('a', { by: stranger })), undefined);
  assert.equal(await statusOf(cloud, cloud.issueNode('a', { by: stranger, at: Date.now() - 2 * DAY_MS })), undefined);
});

test('a connection ends with its certificate', async () => {
  const cloud = await startCloud();
  const soon = await dial(cloud, cloud.issueNode('a', { at: Date.now() - DAY_MS + 1_000 }));
  const later = await dial(cloud, cloud.issueNode('b'));
  assert.equal(soon.hello, 'hello a');
  await once(soon.socket, 'close');
  assert.equal(later.socket.destroyed, false);
});

test('a session that the client kept is not resumed past the end of its certificate', async () => {
  const cloud = await startCloud();
  const credential = cloud.issueNode('a');
  const first = await dial(cloud, credential);
  const session = first.socket.getSession();
  cloud.state.ahead = 2 * DAY_MS;
  const second = await dial(cloud, credential, session ? { session } : {});
  assert.equal(second.hello, '');
  assert.notEqual(second.socket.isSessionReused(), true);
});

test('revoking a node closes its open sessions at once, refuses the next, and touches no other', async () => {
  const cloud = await startCloud();
  const [a, b] = [cloud.issueNode('a'), cloud.issueNode('b')];
  const links = [await dial(cloud, a), await dial(cloud, a)];
  const other = await dial(cloud, b);
  const closed = Promise.all(links.map(({ socket }) => once(socket, 'close')));
  cloud.revocations.revoke('a', Date.now() + 1);
  await closed;
  assert.equal((await dial(cloud, a)).hello, '');
  assert.equal(other.socket.destroyed, false);
  assert.equal((await dial(cloud, b)).hello, 'hello b');
});

test('a node joins, renews when it has expired and links again, over one port', async () => {
  const cloud = await startCloud();
  const door = nodeDoor({ clock: systemClock });
  const identity = await joinCloud({ door, token: await cloud.createToken('edge-1') });
  assert.equal(
    (await dial(cloud, undefined, { cert: identity.certificatePem, key: identity.keyPem })).hello,
    'hello edge-1',
  );
  cloud.state.ahead = 30 * DAY_MS;
  assert.equal((await dial(cloud, undefined, { cert: identity.certificatePem, key: identity.keyPem })).hello, '');
  const renewal = await renewIdentity({ door, identity });
  assert.ok(Math.abs(renewal.cloudTime - cloud.clock.now()) < 5_000);
});

test('the agent stops before it sends its token when another cloud answers', async () => {
  const [cloud, impostor] = [await startCloud(), await startCloud()];
  const token = await cloud.createToken('edge-1');
  const joining = joinCloud({
    door: nodeDoor({ clock: systemClock }),
    token,
    addresses: [`127.0.0.1:${impostor.port}`],
  });
  await assert.rejects(joining, { code: 'SECURITY_CA_HASH_DIFFERS' });
});

test('an impostor that shows the right CA but cannot sign with it gets no token', async () => {
  const [cloud, impostor] = [await startCloud(), await startCloud()];
  const door = nodeDoor({ clock: systemClock });
  const caPem = cloud.pki.caPem;
  const token = await cloud.createToken('edge-1');
  const lying = { ...door, fetchAuthority: async () => caPem };
  const joining = joinCloud({ door: lying, token, addresses: [`127.0.0.1:${impostor.port}`] });
  await assert.rejects(joining, { code: 'SECURITY_CLOUD_UNREACHABLE' });
});

test('a server that our CA knows, but no link listener, is not taken for one', async () => {
  const cloud = await startCloud();
  const server = tls.createServer({ ...credentialToPem(cloud.pki.serving), minVersion: 'TLSv1.3' }, (socket) =>
    socket.end('hi'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => server.close());
  const { port } = server.address() as net.AddressInfo;
  const socket = tls.connect({ port, host: '127.0.0.1', ...linkTlsOptions(cloud.pki.caPem) });
  const [error] = await once(socket, 'error');
  assert.match(String(error), /not a link listener/);
});

/** Sends raw bytes and gives back all that came until the close. */
async function exchange(port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

test('in the clear there is the CA certificate and nothing else', async () => {
  const { port, pki } = await startCloud();
  const answer = await exchange(port, 'GET /enroll/v1/ca HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.ok(answer.endsWith(`\r\n\r\n${pki.caPem}`));
  for (const path of ['/enroll/v1/time?nonce=0123456789abcdef', '/', '/link']) {
    assert.match(await exchange(port, `GET ${path} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 400 /);
  }
  assert.match(await exchange(port, `GET /${'a'.repeat(2000)}`), /^HTTP\/1\.1 400 /);
});

test('bytes that are neither are closed at once; a comer that says nothing is closed in time', async () => {
  const { port } = await startCloud({ helloMs: 50 });
  assert.equal(await exchange(port, Uint8Array.of(0, 1, 2)), '');
  assert.equal(await exchange(port, Uint8Array.of(0x16, 3, 1, 0xff, 0xff)), '');
  assert.equal(await exchange(port, Uint8Array.of(0x16, 3, 1)), '');
  assert.equal(await exchange(port, 'GET '), '');
});

test('connections over the cap and over the rate of one peer are closed, the open ones stay', async () => {
  const cloud = await startCloud({ maxConnections: 1, connectionsPerPeer: { burst: 100, perSecond: 1 } });
  const link = await dial(cloud, cloud.issueNode('a'));
  assert.equal((await dial(cloud, cloud.issueNode('a'))).hello, '');
  assert.equal(link.socket.destroyed, false);
  const slow = await startCloud({ connectionsPerPeer: { burst: 1, perSecond: 0 } });
  assert.equal((await dial(slow, slow.issueNode('a'))).hello, 'hello a');
  assert.equal((await dial(slow, slow.issueNode('a'))).hello, '');
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A request to the enrolment door; status 0 when the connection was closed without an answer. */
function ask(
  cloud: Cloud,
  method: string,
  path: string,
  send: (request: ReturnType<typeof https.request>) => void,
): Promise<Answer> {
  const options = { ...linkTlsOptions(cloud.pki.caPem), ALPNProtocols: [ENROL_PROTOCOL], agent: false as const };
  return new Promise((resolve) => {
    const request = https.request({ host: '127.0.0.1', port: cloud.port, method, path, ...options }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('close', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', () => resolve({ status: 0, body: '' }));
    send(request);
  });
}

test('bodies that are not what the route takes are answered 400 with a Status, on every route', async () => {
  const cloud = await startCloud();
  const bodies = [
    'null',
    '[]',
    '""',
    '{"__proto__":{"token":{"id":"a","secret":"b"},"node":"a","csr":"c"}}',
    '['.repeat(10_000) + ']'.repeat(10_000),
    '{"token":1,"node":[],"csr":{}}',
    '\u0000',
    '{',
  ];
  for (const path of ['/enroll/v1/node', '/enroll/v1/renew']) {
    for (const body of bodies) {
      const answer = await ask(cloud, 'POST', path, (request) => request.end(body));
      assert.equal(answer.status, 400, `${path} ${body.slice(0, 20)}`);
      assert.equal(JSON.parse(answer.body).kind, 'Status');
    }
  }
  assert.equal((await ask(cloud, 'GET', '/enroll/v1/node', (request) => request.end())).status, 405);
  assert.equal((await ask(cloud, 'GET', '/api', (request) => request.end())).status, 404);
  assert.equal((await ask(cloud, 'GET', '/enroll/v1/time?nonce=%00', (request) => request.end())).status, 400);
});

test('a body of a gigabyte, said or unsaid, ends at the cap and memory stays flat', async () => {
  const cloud = await startCloud();
  const before = process.memoryUsage().rss;
  const said = await ask(cloud, 'POST', '/enroll/v1/node', (request) => {
    request.setHeader('content-length', 2 ** 30);
    request.write('{');
  });
  assert.equal(said.status, 413);
  const block = Buffer.alloc(64 * 1024, 0x20);
  const unsaid = await ask(cloud, 'POST', '/enroll/v1/node', (request) => {
    const pump = (): void => {
      while (!request.destroyed && request.write(block));
      if (!request.destroyed) request.once('drain', pump);
    };
    pump();
  });
  assert.ok(unsaid.status === 413 || unsaid.status === 0);
  assert.ok(process.memoryUsage().rss - before < 64 * 2 ** 20);
  assert.equal((await ask(cloud, 'GET', '/enroll/v1/ca', (request) => request.end())).status, 200);
});

test('a body that drips is cut off in time', async () => {
  const cloud = await startCloud({ requestMs: 150 });
  const answer = await ask(cloud, 'POST', '/enroll/v1/node', (request) => {
    request.setHeader('content-length', 1000);
    request.write('{');
  });
  assert.ok(answer.status === 408 || answer.status === 0);
});

test('the enrolment door offers no link, and the link door no enrolment', async () => {
  const cloud = await startCloud();
  const throughEnrolment = await dial(cloud, cloud.issueNode('a'), { ALPNProtocols: [ENROL_PROTOCOL] });
  assert.equal(throughEnrolment.hello, '');
  const { cert, key } = credentialToPem(cloud.issueNode('a'));
  const status = await new Promise((resolve) => {
    https.get(
      {
        host: '127.0.0.1',
        port: cloud.port,
        path: '/enroll/v1/ca',
        agent: false,
        cert,
        key,
        ...linkTlsOptions(cloud.pki.caPem),
      },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
  });
  assert.equal(status, 426);
});

test('a certificate that verifies whatever the client’s clock says is what the link listener shows', async () => {
  const { pki } = await startCloud();
  assert.equal(pki.link.certificate.notBefore, 0);
  assert.equal(pki.authority.certificate.notBefore, 0);
  assert.ok(certificateToPem(pki.link.certificate).length > 0);
});

test('any first bytes are sorted without a crash, and a real hello shows its protocols', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, asTls) => {
      if (asTls && bytes.length > 6) bytes.set([0x16, 3, 1, 0, bytes.length - 5, 1]);
      readFirstBytes(bytes);
    }),
  );
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = tls.connect({ port, host: '127.0.0.1', ALPNProtocols: ['a', ENROL_PROTOCOL] });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  assert.deepEqual(readFirstBytes(hello), { kind: 'tls', protocols: ['a', ENROL_PROTOCOL] });
  assert.deepEqual(readFirstBytes(hello.subarray(0, 100)), { kind: 'more' });
  client.destroy();
  server.close();
});
