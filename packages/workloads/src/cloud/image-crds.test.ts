import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import { IMAGE_PULL_TASKS, IMAGE_PULLS, IMAGE_REGISTRIES } from '../image-kinds/index.ts';
import { imageCrds } from './image-crds.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from './resources.ts';
import { type ScratchCloud, scratchCloud } from './testing/scratch-cloud.ts';

let cloud: ScratchCloud;
before(async () => {
  cloud = await scratchCloud();
  for (const definition of imageCrds()) await cloud.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
  await cloud.until('the kinds are served', () => cloud.client.list(IMAGE_PULL_TASKS).catch(() => undefined));
});
after(() => cloud[Symbol.asyncDispose]());

let made = 0;

function create(gvr: Gvr, kind: string, spec: object): Promise<KubeObject> {
  const namespace = gvr === IMAGE_REGISTRIES ? {} : { namespace: 'shop' };
  const metadata = { name: `object-${++made}`, ...namespace };
  return cloud.client.create(gvr, { apiVersion: 'apps.skerry.io/v1alpha1', kind, metadata, spec });
}

async function check(gvr: Gvr, kind: string, spec: object, isTaken: boolean): Promise<void> {
  const refused = await create(gvr, kind, spec).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.equal(refused === undefined, isTaken, `${JSON.stringify(spec)}: ${String(refused)}`);
  if (!isTaken) assert.ok(isStatus(refused, 'Invalid'));
}

test('an ImageRegistry names exactly one host, and mirrors that are addresses', async () => {
  const take = (spec: object) => check(IMAGE_REGISTRIES, 'ImageRegistry', spec, true);
  const refuse = (spec: object) => check(IMAGE_REGISTRIES, 'ImageRegistry', spec, false);
  for (const host of ['docker.io', 'registry.example:5000', 'localhost', '[::1]:5000', '10.0.0.1'])
    await take({ host });
  for (const host of ['*', '*.example', 'a b', 'https://x', 'x/y', '', 'x:port', '-x']) await refuse({ host });
  await refuse({});
  const host = 'docker.io';
  await take({ host, mirrors: [{ url: 'https://m.example:5000/path', plainHTTP: false }] });
  for (const url of ['ftp://x', 'm.example', 'https://user:password@x', 'https://x?y', 'https://x y']) {
    await refuse({ host, mirrors: [{ url }] });
  }
  for (const maxBytesPerSecond of [1000, '512Ki', '1.5M']) await take({ host, maxBytesPerSecond });
  for (const maxBytesPerSecond of ['fast', '-1', '1 Mi']) await refuse({ host, maxBytesPerSecond });
  await refuse({ host, pull: 'Sideways' });
  await refuse({ host, caBundle: 'not base64!' });
});

test('an ImageRegistry is for every node unless it says for which', async () => {
  const { spec } = (await create(IMAGE_REGISTRIES, 'ImageRegistry', { host: 'docker.io' })) as KubeObject & {
    readonly spec: object;
  };
  assert.deepEqual(spec, { host: 'docker.io', pull: 'Auto', placement: { nodeSelector: {} } });
});

test('an ImagePull names images and nodes, within bounds', async () => {
  const take = (spec: object) => check(IMAGE_PULLS, 'ImagePull', spec, true);
  const refuse = (spec: object) => check(IMAGE_PULLS, 'ImagePull', spec, false);
  const placement = { nodeSelector: {} };
  await take({ images: ['web:1'], placement });
  await take({ images: ['web:1'], placement: { nodeName: 'edge-1' }, concurrency: 3, activeDeadlineSeconds: 60 });
  await refuse({ images: [], placement });
  await refuse({ images: ['web:1'] });
  await refuse({ images: Array.from({ length: 101 }, (_, index) => `web:${index}`), placement });
  await refuse({ images: ['web:1'], placement, concurrency: 0 });
  await refuse({ images: ['web:1'], placement, activeDeadlineSeconds: -1 });
  await refuse({ images: ['x'.repeat(600)], placement });
});
