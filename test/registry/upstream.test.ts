/** Another registry behind our door: Debian's docker-registry keeps the images, our users and roles decide. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, freePort, skipWithout } from '@skerry/testkit/processes';
import { RegistryCloud } from './tools.ts';

const skip = skipWithout('docker-registry', 'skopeo', 'busybox-static');
const dir = mkdtempSync(join(tmpdir(), 'skerry-upstream-'));
let upstream: ChildProcess;
let registry: RegistryCloud;

before(async () => {
  if (skip !== false) return;
  const port = await freePort();
  const config = join(dir, 'config.yml');
  const storage = { filesystem: { rootdirectory: join(dir, 'storage') }, delete: { enabled: true } };
  writeFileSync(config, JSON.stringify({ version: 0.1, storage, http: { addr: `127.0.0.1:${port}` } }));
  upstream = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  await eventually('docker-registry answers', () => answers(port));
  registry = await RegistryCloud.start(['--registry-upstream', `http://127.0.0.1:${port}`]);
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
  upstream?.kill();
  rmSync(dir, { recursive: true, force: true });
});

test('images are pushed through the door and pulled again', { skip }, async () => {
  await registry.push('team/web:1');
  const [digest, , layer] = await registry.pull('team/web:1');
  const part = await registry.ask('GET', `/v2/team/web/blobs/${layer}`, { headers: { range: 'bytes=0-9' } });
  assert.deepEqual([part.status, part.headers['content-length']], [206, '10']);
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const { headers } = await registry.ask('HEAD', '/v2/team/web/manifests/1', { headers: { accept } });
  assert.equal(headers['docker-content-digest'], digest);
});

test('where to go on stays behind the door', { skip }, async () => {
  const { status, headers } = await registry.ask('POST', '/v2/team/web/blobs/uploads/');
  assert.equal(status, 202);
  assert.match(headers.location ?? '', /^\/v2\/team\/web\/blobs\/uploads\//);
  assert.equal((await registry.ask('PATCH', headers.location ?? '', { body: 'some' })).status, 202);
});

test('the same roles hold', { skip }, async () => {
  const upload = (token: string, repository: string) =>
    registry.ask('POST', `/v2/${repository}/blobs/uploads/`, { token });
  assert.equal((await upload(registry.reader, 'team/web')).status, 403);
  assert.equal((await upload(registry.pusher, 'kube-system/web')).status, 403);
  assert.equal((await upload('', 'team/web')).status, 401);
});

test('when it is away, that is what clients are told', { skip }, async () => {
  const ended = new Promise((resolve) => upstream.once('exit', resolve));
  upstream.kill();
  await ended;
  assert.equal((await registry.ask('GET', '/v2/team/web/manifests/1')).status, 502);
});

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    request({ host: '127.0.0.1', port, path: '/v2/', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    })
      .on('error', () => resolve(false))
      .end();
  });
}
