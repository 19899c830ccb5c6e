/** Images of another registry by way of the cloud: fetched once, kept, and there for the next node when the registry is gone. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, freePort, skipWithout, TestEdge } from '@skerry/testkit/processes';
import { must, RegistryCloud } from './tools.ts';

const skip = skipWithout('docker-registry', 'skopeo', 'busybox-static');
const dir = mkdtempSync(join(tmpdir(), 'skerry-far-'));
/** Two nodes join meanwhile. */
const PULL_MS = 120_000;
let far: ChildProcess;
let host: string;
let here: RegistryCloud;
const edges: TestEdge[] = [];

before(async () => {
  if (skip !== false) return;
  host = `127.0.0.1:${await freePort()}`;
  const config = join(dir, 'config.yml');
  const storage = { filesystem: { rootdirectory: join(dir, 'storage') } };
  writeFileSync(config, JSON.stringify({ version: 0.1, storage, http: { addr: host } }));
  far = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  await eventually('docker-registry answers', answers);
  here = await RegistryCloud.start();
  const copy = ['--insecure-policy', 'copy', '--dest-tls-verify=false', `oci:${here.layout}:busybox`];
  await must('skopeo', [...copy, `docker://${host}/tools/busybox:1`]);
  edges.push(await TestEdge.join(here.cloud, { name: 'edge-1' }));
});
after(async () => {
  for (const edge of edges) await edge[Symbol.asyncDispose]();
  await here?.[Symbol.asyncDispose]();
  far?.kill();
  rmSync(dir, { recursive: true, force: true });
});

async function pullTo(node: string): Promise<void> {
  await here.cloud.apply({
    apiVersion: 'apps.skerry.io/v1alpha1',
    kind: 'ImagePull',
    metadata: { name: `at-${node}`, namespace: 'team' },
    spec: { images: [`${host}/tools/busybox:1`], placement: { nodeName: node } },
  });
}

/** The reason of the pull's condition, once it is as wanted. */
async function untilReason(node: string, wanted: string): Promise<void> {
  const path = '--output=jsonpath={.status.conditions[?(@.type=="Complete")].reason}';
  const read = () => here.cloud.kubectl(['get', 'imagepull', `at-${node}`, '--namespace=team', path]);
  await eventually(`the pull of ${node} says ${wanted}`, async () => (await read()) === wanted, { timeoutMs: PULL_MS });
}

test('an address of the cloud is not asked unless an ImageRegistry names it', { skip }, async () => {
  await here.cloud.apply(registryOf({ pull: 'ThroughCloud', host: 'another.example' }));
  await pullTo('edge-1');
  // The node asks by itself then, and gets there, because here it is the same machine.
  await untilReason('edge-1', 'AllPulled');
  assert.equal((await messages()).length, 0);
});

test('the next node gets the image from the cloud when the registry is gone', { skip }, async () => {
  await here.cloud.apply(registryOf({ pull: 'ThroughCloud', host, plainHTTP: true }));
  edges.push(await TestEdge.join(here.cloud, { name: 'edge-2' }));
  await pullTo('edge-2');
  await untilReason('edge-2', 'AllPulled');
  const ended = new Promise((resolve) => far.once('exit', resolve));
  far.kill();
  await ended;
  edges.push(await TestEdge.join(here.cloud, { name: 'edge-3' }));
  await pullTo('edge-3');
  await untilReason('edge-3', 'AllPulled');
});

function registryOf(spec: object): object {
  return { apiVersion: 'apps.skerry.io/v1alpha1', kind: 'ImageRegistry', metadata: { name: 'far' }, spec };
}

async function messages(): Promise<readonly string[]> {
  const path = '--output=jsonpath={.items[*].status.images[*].message}';
  const text = await here.cloud.kubectl(['get', 'imagepulltasks', '--namespace=team', path]);
  return text.split(' ').filter(Boolean);
}

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    request(`http://${host}/v2/`, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    })
      .on('error', () => resolve(false))
      .end();
  });
}
