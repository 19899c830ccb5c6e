/** A set of images with its manifests, carried by hand from one cloud to another that has no network, and to a node alone. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  CHECKOUT,
  type CommandResult,
  eventually,
  runToEnd,
  skipWithout,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';
import { must, RegistryCloud } from './tools.ts';

const skip = skipWithout('skopeo', 'busybox-static', 'bubblewrap');
let home: RegistryCloud;
let far: TestCloud;
let edge: TestEdge;
let file: string;

before(async () => {
  if (skip !== false) return;
  home = await RegistryCloud.start();
  mkdirSync(join(home.dir, 'home'));
  await home.push('team/web:1');
  file = join(home.dir, 'set.tar');
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await far?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

function skerry(dataDir: string, ...args: readonly string[]): Promise<CommandResult> {
  const env = { HOME: join(home.dir, 'home'), DOCKER_CONFIG: '', SKERRY_DATA_DIR: dataDir };
  return runToEnd(join(CHECKOUT, 'bin', 'skerry'), args, { env });
}

async function mustSkerry(dataDir: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await skerry(dataDir, ...args);
  assert.equal(code, 0, stderr);
  return stdout + stderr;
}

function manifests(): string {
  const folder = join(home.dir, 'manifests');
  mkdirSync(folder, { recursive: true });
  const container = {
    name: 'web',
    image: `${home.host}/team/web:1`,
    command: ['/bin/sh', '-c', 'echo came by hand; sleep 3600'],
  };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'carried' },
    spec: { automountServiceAccountToken: false, containers: [container] },
  };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'carried' } };
  writeFileSync(join(folder, 'all.yaml'), `${JSON.stringify(pod)}\n---\n${JSON.stringify(namespace)}\n`);
  return folder;
}

test('the images of a folder of manifests are exported', { skip }, async () => {
  const said = await mustSkerry(home.cloud.dir, 'image', 'export', file, '--manifests', manifests());
  assert.match(said, /set\.tar holds 1 images \(\d.* MiB\) and 1 manifests/);
  const [digest] = await home.pull('team/web:1');
  const inspected = await must('skopeo', ['inspect', `oci-archive:${file}`]);
  assert.equal(JSON.parse(inspected).Digest, digest);
  assert.deepEqual(
    readdirSync(home.dir).filter((name) => name.startsWith('set.tar')),
    ['set.tar'],
  );
});

test('another cloud takes them in, applies the manifests, and its node runs them', { skip }, async () => {
  far = await TestCloud.start({ registryListen: '127.0.0.1:0' });
  edge = await TestEdge.join(far, { name: 'edge-1' });
  // Where it came from is gone.
  await home.cloud.process.stop();
  const said = await mustSkerry(far.dir, 'image', 'import', file, '--apply');
  assert.match(said, /pods\/web applied/);
  const wait = ['wait', '--namespace=carried', '--for=condition=Ready', 'pod/web', '--timeout=120s'];
  await far.kubectl(wait, { timeoutMs: 150_000 });
  await eventually(
    'it says so',
    async () => (await far.kubectl(['logs', '--namespace=carried', 'web'])) === 'came by hand\n',
  );
});

test('a second import sends nothing', { skip }, async () => {
  assert.match(await mustSkerry(far.dir, 'image', 'import', file), /team\/web, 0 B sent/);
});

test('a node alone takes them in while its agent is stopped', { skip }, async () => {
  const running = await skerry(edge.dir, 'image', 'import', file, '--data-dir', edge.dir);
  assert.equal(running.code, 1);
  assert.match(running.stderr, /the agent of edge-1 runs; stop it first/);
  await edge.process.stop();
  const said = await mustSkerry(edge.dir, 'image', 'import', file, '--data-dir', edge.dir);
  assert.match(said, /the node edge-1 holds .*\/team\/web:1/);
  const table = readFileSync(join(edge.dir, 'edge', 'edge-1', 'images', 'images.json'), 'utf8');
  assert.match(table, /\/team\/web:1"/);
  await edge.process.start();
});

test('what is no archive is refused with a reason', { skip }, async () => {
  const { code, stderr } = await skerry(home.cloud.dir, 'image', 'import', join(home.dir, 'manifests', 'all.yaml'));
  assert.equal(code, 1);
  assert.match(stderr, /holds no images: .*\[IMAGE_INVALID_ARCHIVE\]/);
});
