/** The cloud's registry and the tools that people have: who may do what, and what survives. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { eventually, requireSystem, TestContainerd } from '@skerry/testkit/processes';
import { must, RegistryCloud, sha256 } from './tools.ts';

let registry: RegistryCloud;
before(async () => {
  registry = await RegistryCloud.start();
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
});

test('skopeo pushes, lists, pulls and deletes', async (t) => {
  if (!requireSystem(t, 'skopeo', 'busybox-static')) return;
  await registry.push('team/shop/web:1');
  await registry.push('team/shop/web:2', 'pause');
  const [, config, ...layers] = await registry.pull('team/shop/web:1');
  assert.ok(config?.startsWith('sha256:') && layers.length === 1);
  const place = ['--cert-dir', registry.certificates, '--creds', `any:${registry.pusher}`];
  const name = `docker://${registry.host}/team/shop/web`;
  assert.deepEqual(JSON.parse(await must('skopeo', ['list-tags', ...place, name])).Tags, ['1', '2']);
  await must('skopeo', ['delete', ...place, `${name}:2`]);
  assert.deepEqual(JSON.parse(await must('skopeo', ['list-tags', ...place, name])).Tags, ['1']);
});

test('RBAC decides: by verb, by namespace, by name of image', async () => {
  const { reader } = registry;
  const upload = (repository: string, token: string) =>
    registry.ask('POST', `/v2/${repository}/blobs/uploads/`, { token });
  assert.equal((await upload('team/x', registry.pusher)).status, 202);
  assert.equal((await upload('team/x', reader)).status, 403);
  assert.equal((await upload('kube-system/x', registry.pusher)).status, 403);
  assert.equal((await upload('elsewhere/x', registry.pusher)).status, 403);
  assert.equal((await registry.ask('GET', '/v2/_catalog')).status, 403);
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'pushes-one' } };
  const rules = [
    { apiGroups: ['registry.skerry.io'], resources: ['images'], resourceNames: ['base/os'], verbs: ['create'] },
  ];
  await registry.cloud.apply({ ...role, rules });
  const binding = ['create', 'clusterrolebinding', 'pushes-one', '--clusterrole=pushes-one'];
  await registry.cloud.kubectl([...binding, '--serviceaccount=team:reader']);
  assert.equal((await upload('base/os', reader)).status, 202);
  assert.equal((await upload('base/other', reader)).status, 403);
});

test('nobody comes in without a good token, and whoever has one comes in under any name', async () => {
  const ping = (headers: Record<string, string>) => registry.ask('GET', '/v2/', { token: '', headers });
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const refused = await ping({});
  assert.equal(refused.status, 401);
  assert.equal(refused.headers['www-authenticate'], 'Basic realm="skerry"');
  assert.equal((await ping(basic('anybody:wrong'))).status, 401);
  assert.equal((await ping({ authorization: 'Basic !!' })).status, 401);
  assert.equal((await ping(basic(`anybody:${registry.reader}`))).status, 200);
  assert.equal((await ping(basic(`:${registry.reader}`))).status, 200);
});

test('what changes anything, and what is refused, is in the audit log', async () => {
  await registry.ask('DELETE', '/v2/team/none/manifests/audited');
  await registry.ask('GET', '/v2/kube-system/x/manifests/audited');
  const file = join(registry.cloud.dir, 'cloud', 'audit', 'audit-0000000001.log');
  const linesOf = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes('/audited'));
  await eventually('both are written', () => linesOf().length === 2);
  const [removal, read] = linesOf();
  assert.match(removal ?? '', /"verb":"delete","path":"\/v2\/team\/none\/manifests\/audited","code":404/);
  assert.match(read ?? '', /"user":"system:serviceaccount:team:pusher".*"code":403/);
});

test('what was acknowledged survives kill -9, and the upload goes on behind it', async () => {
  const content = randomBytes(3 * 1024 * 1024);
  const started = await registry.ask('POST', '/v2/team/crash/blobs/uploads/');
  const place = started.headers.location ?? '';
  const half = content.subarray(0, 1024 * 1024);
  const { status, headers } = await registry.ask('PATCH', place, { body: half });
  assert.deepEqual([status, headers.range], [202, `0-${half.length - 1}`]);
  // Another chunk is on its way when the power goes.
  const { promise: isSending, resolve: sending } = Promise.withResolvers<void>();
  const endless = Readable.from(
    (async function* () {
      yield content.subarray(half.length, half.length + 65536);
      sending();
      await new Promise<never>(() => {});
    })(),
  );
  const cut = registry.ask('PATCH', place, { body: endless }).catch(() => undefined);
  await isSending;
  await registry.cloud.process.kill9();
  endless.destroy();
  await cut;
  await registry.cloud.process.start();
  const { headers: after } = await registry.ask('GET', place);
  const there = Number(after.range?.split('-')[1]) + 1;
  assert.ok(there >= half.length, `${there} bytes are there`);
  const finished = await registry.ask('PUT', `${place}?digest=${sha256(content)}`, { body: content.subarray(there) });
  assert.equal(finished.status, 201, finished.text);
  await registry.cloud.process.kill9();
  await registry.cloud.process.start();
  const read = await registry.ask('HEAD', `/v2/team/crash/blobs/${sha256(content)}`);
  assert.deepEqual([read.status, read.headers['content-length']], [200, String(content.length)]);
});

const LARGE_BYTES = 384 * 1024 * 1024;
/** Of resident memory: less than half of what passes through. */
const MAX_GROWTH_BYTES = LARGE_BYTES / 2;

test('a large blob passes through in both directions without being held in memory', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const chunks = Array.from({ length: LARGE_BYTES / chunk.length }, () => chunk);
  const before = residentBytes(registry.cloud.process.pid);
  const { headers } = await registry.ask('POST', '/v2/team/large/blobs/uploads/');
  const sent = await registry.ask('PATCH', headers.location ?? '', { body: Readable.from(chunks) });
  assert.equal(sent.status, 202, sent.text);
  assert.equal(sent.headers.range, `0-${LARGE_BYTES - 1}`);
  const growth = residentBytes(registry.cloud.process.pid) - before;
  assert.ok(growth < MAX_GROWTH_BYTES, `memory grew by ${growth} bytes`);
  assert.equal((await registry.ask('DELETE', headers.location ?? '')).status, 204);
});

test('hostile requests are refused, and others are served meanwhile', async () => {
  const manifest = '/v2/team/web/manifests/1';
  const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
  const huge = await registry.ask('PUT', manifest, { body: Buffer.alloc(6 * 1024 * 1024, ' '), headers });
  assert.equal(huge.status, 413);
  const declared = { ...headers, 'content-length': '1073741824', expect: '100-continue' };
  const claimed = await registry.ask('PUT', manifest, { headers: declared, token: 'wrong' }).catch(() => undefined);
  assert.ok(claimed === undefined || claimed.status === 401);
  for (const path of [
    '/v2/../../etc/passwd',
    '/v2/%2e%2e/manifests/1',
    '/v2/team/web/blobs/sha256:..%2f..%2fetc',
    '/',
  ]) {
    const { status } = await registry.ask('GET', path);
    assert.ok(status >= 400 && status < 500, `${path}: ${status}`);
  }
  assert.equal((await registry.ask('GET', '/v2/')).status, 200);
});

/** Above what one address may fail at once. */
const GUESSES = 300;

test('whoever guesses passwords is told to wait, and others behind the same address are served', async () => {
  const guess = (index: number) => registry.ask('GET', '/v2/', { token: `guess-${index}` });
  const answers = await Promise.all(Array.from({ length: GUESSES }, (_, index) => guess(index)));
  const statuses = new Set(answers.map(({ status }) => status));
  assert.deepEqual(statuses, new Set([401, 429]));
  assert.equal((await registry.ask('GET', '/v2/')).status, 200);
});

test('a client that goes in the midst of its upload leaves what it sent, and nothing else', async () => {
  const { headers } = await registry.ask('POST', '/v2/team/gone/blobs/uploads/');
  const place = headers.location ?? '';
  const body = Readable.from(
    (async function* () {
      yield Buffer.alloc(100_000, 'x');
      throw new Error('gone');
    })(),
  );
  await registry.ask('PATCH', place, { body, headers: { 'content-length': '1000000' } }).catch(() => undefined);
  await eventually('the upload is free again', async () => (await registry.ask('GET', place)).status === 204);
  assert.equal((await registry.ask('DELETE', place)).status, 204);
});

test('buildah builds and pushes, podman pulls and pushes', async (t) => {
  if (!requireSystem(t, 'root', 'buildah', 'podman', 'busybox-static')) return;
  const storage = [
    '--storage-driver=vfs',
    `--root=${join(registry.dir, 'storage')}`,
    `--runroot=${join(registry.dir, 'run')}`,
  ];
  const buildah = (...args: readonly string[]) => must('buildah', [...storage, ...args]);
  const podman = (...args: readonly string[]) => must('podman', [...storage, ...args]);
  const place = [`--cert-dir=${registry.certificates}`, `--creds=any:${registry.pusher}`];
  const container = (await buildah('from', 'scratch')).trim();
  await buildah('copy', container, '/bin/busybox', '/bin/busybox');
  await buildah('commit', container, 'built');
  await buildah('push', ...place, 'built', `docker://${registry.host}/team/built:1`);
  await buildah('rmi', '--force', 'built');
  await podman('pull', ...place, `${registry.host}/team/built:1`);
  await podman('push', ...place, `${registry.host}/team/built:1`, `docker://${registry.host}/team/again:1`);
  const [, first] = await registry.pull('team/built:1');
  const [, second] = await registry.pull('team/again:1');
  assert.equal(first, second);
});

test('containerd pushes what it has and pulls it back', async (t) => {
  if (!requireSystem(t, 'root', 'containerd', 'busybox-static')) return;
  await using containerd = await TestContainerd.start();
  const image = `${registry.host}/team/from-containerd:1`;
  // Without this, containerd speaks HTTP to an address of loopback.
  const hosts = join(registry.dir, 'hosts', registry.host);
  mkdirSync(hosts, { recursive: true });
  const [server, ca] = [`https://${registry.host}`, join(registry.certificates, 'ca.crt')].map((text) =>
    JSON.stringify(text),
  );
  writeFileSync(join(hosts, 'hosts.toml'), `server = ${server}\n[host.${server}]\n  ca = ${ca}\n`);
  const place = ['--hosts-dir', join(registry.dir, 'hosts'), '--user', `any:${registry.pusher}`];
  containerd.ctr('images', 'tag', 'skerry.test/busybox:1', image);
  containerd.ctr('images', 'push', ...place, image);
  containerd.ctr('images', 'remove', image);
  containerd.ctr('images', 'pull', ...place, image);
  assert.match(containerd.ctr('images', 'list', '--quiet'), new RegExp(image));
});

test('images go with their namespace', async () => {
  const { cloud } = registry;
  await cloud.kubectl(['create', 'namespace', 'brief']);
  const account = '--serviceaccount=team:pusher';
  await cloud.kubectl(['create', 'rolebinding', 'pusher', '--namespace=brief', '--clusterrole=edit', account]);
  const content = 'what the namespace had';
  const place = `/v2/brief/web/blobs/uploads/?digest=${sha256(content)}`;
  assert.equal((await registry.ask('POST', place, { body: content })).status, 201);
  await cloud.kubectl(['delete', 'namespace', 'brief', '--timeout=60s']);
  await cloud.kubectl(['create', 'clusterrolebinding', 'everywhere', '--clusterrole=edit', account]);
  const { status } = await registry.ask('HEAD', `/v2/brief/web/blobs/${sha256(content)}`);
  await cloud.kubectl(['delete', 'clusterrolebinding', 'everywhere']);
  assert.equal(status, 404);
});

test('garbage is collected on request, by who may delete everywhere', async () => {
  const path = '/v2/_skerry/collect?now';
  assert.equal((await registry.ask('POST', path)).status, 403);
  const loose = 'nobody needs this';
  await registry.ask('POST', `/v2/team/loose/blobs/uploads/?digest=${sha256(loose)}`, { body: loose });
  const file = join(registry.cloud.dir, 'cloud', 'registry', 'blobs', 'sha256', sha256(loose).slice(7));
  assert.ok(existsSync(file));
  const admin = [
    'create',
    'clusterrolebinding',
    'sweeper',
    '--clusterrole=cluster-admin',
    '--serviceaccount=team:pusher',
  ];
  await registry.cloud.kubectl(admin);
  const { status, text } = await registry.ask('POST', path);
  assert.equal(status, 200, text);
  assert.ok(JSON.parse(text).blobs >= 1);
  assert.equal(existsSync(file), false);
});

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
