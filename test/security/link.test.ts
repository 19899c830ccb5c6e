/** The link's port, attacked over real sockets while a node is linked; and canary secrets looked for where they must not be. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { frameHeader, openRaw } from '@skerry/link/testing';
import { loadIdentity } from '@skerry/security/identity';
import { clientProfile, createAuthority, credentialToPem, issueCredential } from '@skerry/security/pki';
import { COUNTING, eventually, PROCESS, pod, requireSystem, TestCloud, TestEdge } from '@skerry/testkit/processes';
import { residentBytes, TestClient } from './client.ts';

const MIB = 2 ** 20;
const CANARY = 'canary-5f0e2a77';
const CANARY_BASE64 = Buffer.from(CANARY).toString('base64').replace(/=+$/, '');

let cloud: TestCloud;
let edge: TestEdge;
let tls: { readonly ca: string; readonly cert: string; readonly key: string };

before(async () => {
  cloud = await TestCloud.start({ args: ['--log-level', 'debug'] });
  edge = await TestEdge.join(cloud, { name: 'edge-1', args: ['--log-level', 'debug'] });
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
  const identity = loadIdentity(join(edge.dir, 'edge', 'edge-1', 'identity'));
  assert.ok(identity);
  tls = { ca: identity.caPem, cert: identity.certificatePem, key: identity.keyPem };
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

/** What the server says to an upgrade; nothing when it hangs up. In TLS 1.3 the handshake alone says nothing. */
function knock(options: ConnectionOptions): Promise<string> {
  const [host = '', port] = cloud.linkAddress.split(':');
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ host, port: Number(port), ca: tls.ca, checkServerIdentity: () => undefined, ...options });
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      socket.destroy();
    });
    socket.on('close', () => resolve(said));
    const key = Buffer.alloc(16).toString('base64');
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13';
    socket.write(`GET /link HTTP/1.1\r\nHost: x\r\n${upgrade}\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
  });
}

async function assertLinked(): Promise<void> {
  const ready = await cloud.kubectl([
    'get',
    'node',
    'edge-1',
    '-o',
    'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
  ]);
  assert.equal(ready, 'True');
}

test('the port upgrades a node’s own certificate, so that the refusals below mean something', async () => {
  assert.match(await knock({ cert: tls.cert, key: tls.key }), /^HTTP\/1\.1 101 /);
});

for (const [what, options] of [
  ['no client certificate', () => ({})],
  ['a certificate of another authority', strangersCertificate],
  ['TLS 1.2', () => ({ cert: tls.cert, key: tls.key, maxVersion: 'TLSv1.2' as const })],
] as const) {
  test(`${what} is not upgraded`, async () => {
    assert.doesNotMatch(await knock(options()), / 101 /);
    await assertLinked();
  });
}

function strangersCertificate(): ConnectionOptions {
  const now = Date.now();
  const dates = { notBefore: now - 60_000, notAfter: now + 3_600_000 };
  const profile = clientProfile('system:node:edge-1', ['system:nodes'], dates);
  return credentialToPem(issueCredential(createAuthority({ now }), profile, { now }));
}

for (const [what, size] of [
  ['a frame of 64 MiB', 64n * BigInt(MIB)],
  ['a length prefix of 4 GiB', 4096n * BigInt(MIB)],
  ['a length prefix beyond all numbers', 2n ** 63n - 1n],
] as const) {
  test(`${what} closes the connection, allocates nothing, and leaves the node linked`, async () => {
    const before = residentBytes(cloud.process.pid);
    const codes = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const raw = await openRaw(cloud.linkAddress, { ...tls, checkServerIdentity: () => undefined } as never);
        raw.write(frameHeader(size));
        const code = await raw.closeCode;
        raw.socket.destroy();
        return code;
      }),
    );
    for (const code of codes) assert.ok(code === 1009 || code === 1006 || code === undefined, `closed with ${code}`);
    assert.ok(codes.includes(1009), `${codes}`);
    assert.ok(residentBytes(cloud.process.pid) - before < 10 * MIB);
    await assertLinked();
  });
}

test('canaries are in no log, error, metric, event, audit line or database', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  using admin = new TestClient(cloud.kubeconfig);
  using anonymous = new TestClient(cloud.kubeconfig, true);
  await cloud.kubectl(['create', 'secret', 'generic', 'canary', `--from-literal=value=${CANARY}`]);
  const env = [{ name: 'CANARY', valueFrom: { secretKeyRef: { name: 'canary', key: 'value' } } }];
  const volumes = [{ name: 's', secret: { secretName: 'canary' } }];
  const container = { env, volumeMounts: [{ name: 's', mountPath: '/s' }] };
  await cloud.apply(pod(PROCESS, { name: 'holder', script: COUNTING, spec: { volumes }, container }));
  await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/holder', '--timeout=30s']);
  const read = await cloud.kubectl(['exec', 'holder', '--', 'sh', '-c', 'cat /s/value; echo $CANARY']);
  assert.equal(read.split(CANARY).length, 3, 'the pod has it in both places');

  const secrets = '/api/v1/namespaces/default/secrets';
  const data = { value: CANARY, 'not base64': `${CANARY}!` };
  const refusals = await Promise.all([
    anonymous.ask({ method: 'GET', path: secrets, headers: { authorization: `Bearer ${CANARY}` } }),
    anonymous.ask({ method: 'GET', path: `${secrets}?token=${CANARY}` }),
    admin.ask({ method: 'POST', path: secrets, body: JSON.stringify({ metadata: { name: 'x' }, data }) }),
    admin.ask({
      method: 'POST',
      path: secrets,
      body: JSON.stringify({ metadata: { name: 'x' }, data: { a: [CANARY] } }),
    }),
    admin.ask({
      method: 'PATCH',
      path: `${secrets}/canary`,
      contentType: 'application/json-patch+json',
      body: JSON.stringify([{ op: 'test', path: '/data/value', value: CANARY }]),
    }),
  ]);
  for (const { status, text } of refusals) {
    assert.ok(status >= 400 && status < 500, text);
    assertClean('an error', text);
  }
  const metrics = await admin.ask({ method: 'GET', path: '/metrics' });
  assertClean('the metrics', metrics.text);
  assertClean('the events', await cloud.kubectl(['get', 'events', '-A', '-o', 'json']));
  await eventually('the node has told of its pod', () => readFileSync(join(edge.dir, 'edge.log'), 'utf8').length > 0);
  const files = [cloud.dir, edge.dir].flatMap(filesBelow);
  for (const name of ['store.db', 'replica.db', 'cloud.log', 'edge.log'])
    assert.ok(
      files.some((file) => file.endsWith(`/${name}`)),
      `${name} was not looked at`,
    );
  // The volume that the pod reads is the one place where it may stand.
  for (const file of files.filter((path) => !/\/pods\/.*\/volumes/.test(path)))
    assertClean(file, readFileSync(file, 'latin1'));
  await cloud.kubectl(['delete', 'pod', 'holder', '--timeout=30s']);
});

function filesBelow(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

function assertClean(where: string, text: string): void {
  assert.ok(!text.includes(CANARY), `${where} holds the canary in the clear`);
  assert.ok(!text.includes(CANARY_BASE64), `${where} holds the canary as base64`);
}
