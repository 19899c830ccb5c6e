/** `skerry registry …` as people type it. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CHECKOUT, requireSystem, runToEnd, TestCloud } from '@skerry/testkit/processes';
import { must, RegistryCloud } from './tools.ts';

let registry: RegistryCloud;
before(async () => {
  registry = await RegistryCloud.start();
  for (const folder of ['home', 'run']) mkdirSync(join(registry.dir, folder), { mode: 0o700 });
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
});

/** Runs the command with a home of its own. */
async function skerry(...args: readonly string[]): Promise<string> {
  return must(join(CHECKOUT, 'bin', 'skerry'), args, environment());
}

function environment(): Record<string, string> {
  const home = join(registry.dir, 'home');
  return {
    HOME: home,
    DOCKER_CONFIG: '',
    SKERRY_DATA_DIR: registry.cloud.dir,
    XDG_RUNTIME_DIR: join(registry.dir, 'run'),
  };
}

test('show says where the registry is and how to use it', async () => {
  const text = await skerry('registry', 'show');
  assert.match(text, new RegExp(`^Address: +${registry.host}$`, 'm'));
  assert.match(text, /-----BEGIN CERTIFICATE-----/);
  const { addresses, ca } = JSON.parse(await skerry('registry', 'show', '-o', 'json'));
  assert.deepEqual(addresses, [registry.host]);
  assert.equal(ca, readFileSync(join(registry.certificates, 'ca.crt'), 'utf8'));
});

test('after login the tools push without any more flags', async (t) => {
  if (!requireSystem(t, 'skopeo', 'busybox-static')) return;
  const config = join(registry.dir, 'home', '.docker', 'config.json');
  mkdirSync(join(registry.dir, 'home', '.docker'), { recursive: true });
  writeFileSync(config, JSON.stringify({ auths: { 'other.example': { auth: 'eDp5' } }, credsStore: '' }));
  await skerry('registry', 'login');
  const copy = ['--insecure-policy', 'copy', `oci:${registry.layout}:busybox`, `docker://${registry.host}/team/web:1`];
  await must('skopeo', copy, environment());
  await must('skopeo', [...copy.slice(0, -1), `docker://${registry.host}/team/web:2`], environment());
  assert.equal(JSON.parse(readFileSync(config, 'utf8')).auths['other.example'].auth, 'eDp5');
  assert.match(await skerry('registry', 'list'), /^team\/web +1, 2$/m);
});

test('list shows the tags of one repository with digests', async (t) => {
  if (!requireSystem(t, 'skopeo', 'busybox-static')) return;
  await registry.push('team/listed:1');
  assert.match(await skerry('registry', 'list', 'team/listed'), /^1 +sha256:[0-9a-f]{64} +[0-9.]+ MiB$/m);
  const [shown] = JSON.parse(await skerry('registry', 'list', 'team/listed', '-o', 'json'));
  const [digest] = await registry.pull('team/listed:1');
  assert.equal(shown.digest, digest);
});

test('a removed image is gone, and gc frees what only it needed', async (t) => {
  if (!requireSystem(t, 'skopeo', 'busybox-static')) return;
  await registry.push('team/gone:1', 'pause');
  await skerry('registry', 'remove', `${registry.host}/team/gone:1`);
  assert.match(
    await skerry('registry', 'gc', '--untagged', '--now'),
    /^1 manifests and 2 blobs removed, \d+ B freed$/m,
  );
  const again = await runToEnd(join(CHECKOUT, 'bin', 'skerry'), ['registry', 'remove', 'team/gone:1'], {
    env: environment(),
  });
  assert.equal(again.code, 1);
  assert.match(again.stderr, /there is no manifest 1 \[CLI_REGISTRY_REFUSED\]/);
});

test('login prints a pull secret of an account that may pull', async () => {
  const account = ['--service-account', 'team/reader', '--duration', '10m', '--secret', 'pull'];
  const secret = JSON.parse(await skerry('registry', 'login', ...account));
  assert.equal(secret.type, 'kubernetes.io/dockerconfigjson');
  const { auths } = JSON.parse(Buffer.from(secret.data['.dockerconfigjson'], 'base64').toString());
  const authorization = `Basic ${auths[registry.host].auth}`;
  assert.equal((await registry.ask('GET', '/v2/', { token: '', headers: { authorization } })).status, 200);
});

test('a cloud without a registry says so', async () => {
  await using cloud = await TestCloud.start();
  const { code, stderr } = await cloud.skerry(['registry', 'list']);
  assert.equal(code, 1);
  assert.match(stderr, /this cloud serves no images/);
});
