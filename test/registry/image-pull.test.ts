/** Images brought to a node before any pod asks: by way of the cloud, out of its registry and out of others. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, skipWithout, TestEdge } from '@skerry/testkit/processes';
import { RegistryCloud } from './tools.ts';

const skip = skipWithout('skopeo', 'busybox-static');
let registry: RegistryCloud;
let edge: TestEdge;

before(async () => {
  if (skip !== false) return;
  registry = await RegistryCloud.start();
  edge = await TestEdge.join(registry.cloud, { name: 'edge-1' });
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

interface ImagePull {
  readonly status?: {
    readonly desired?: number;
    readonly pulled?: number;
    readonly failed?: number;
    readonly pulls?: readonly {
      readonly node: string;
      readonly phase: string;
      readonly digest?: string;
      readonly message?: string;
    }[];
  };
}

async function apply(name: string, images: readonly string[]): Promise<void> {
  await registry.cloud.apply({
    apiVersion: 'apps.skerry.io/v1alpha1',
    kind: 'ImagePull',
    metadata: { name, namespace: 'team' },
    spec: { images, placement: { nodeSelector: {} } },
  });
}

function statusOf(name: string): Promise<ImagePull> {
  return registry.cloud.get<ImagePull>(['imagepull', '--namespace=team', name]);
}

async function untilComplete(name: string): Promise<void> {
  const wait = ['wait', '--namespace=team', '--for=condition=Complete', `imagepull/${name}`, '--timeout=120s'];
  await registry.cloud.kubectl(wait, { timeoutMs: 150_000 });
}

test('an image of the cloud comes to the node, without any secret', { skip }, async () => {
  await registry.push('team/web:1');
  const [digest] = await registry.pull('team/web:1');
  await apply('web', [`${registry.host}/team/web:1`]);
  await untilComplete('web');
  const { status } = await statusOf('web');
  assert.deepEqual([status?.desired, status?.pulled], [1, 1]);
  assert.deepEqual(
    status?.pulls?.map((each) => [each.node, each.phase, each.digest]),
    [['edge-1', 'Pulled', digest]],
  );
});

test('kubectl shows how far it is', { skip }, async () => {
  const pulls = await registry.cloud.kubectl(['get', 'imagepulls', '--namespace=team']);
  assert.match(pulls, /^NAME +DESIRED +PULLED +PULLING +FAILED +STATUS +AGE\nweb +1 +1 +0 +0 +AllPulled +\S+\n$/);
  const tasks = await registry.cloud.kubectl(['get', 'imagepulltasks', '--namespace=team']);
  assert.match(tasks, /^NAME +NODE +PHASE +PROGRESS +REASON +AGE\nweb-edge-1 +edge-1 +Pulled +100% +\S+\n$/);
});

test('an image that nobody has fails with the reason', { skip }, async () => {
  await apply('none', [`${registry.host}/team/none:1`]);
  await eventually('the failure is told', async () => (await statusOf('none')).status?.failed === 1);
  const { status } = await statusOf('none');
  assert.match(status?.pulls?.[0]?.message ?? '', /team\/none:1 is not in the registry of the cloud/);
});

test('an image of another namespace stays where it is', { skip }, async () => {
  await registry.cloud.kubectl(['create', 'namespace', 'secret-team']);
  await registry.cloud.kubectl([
    'create',
    'rolebinding',
    'pusher',
    '--namespace=secret-team',
    '--clusterrole=edit',
    '--serviceaccount=team:pusher',
  ]);
  await registry.push('secret-team/web:1');
  await apply('stolen', [`${registry.host}/secret-team/web:1`]);
  await eventually('the refusal is told', async () => (await statusOf('stolen')).status?.failed === 1);
  const { status } = await statusOf('stolen');
  assert.match(status?.pulls?.[0]?.message ?? '', /it is of another namespace, and no pull secret opens it/);
});

test('a pull secret of an account that may opens it', { skip }, async () => {
  const auths = { [registry.host]: { auth: Buffer.from(`any:${registry.pusher}`).toString('base64') } };
  await registry.cloud.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'opens', namespace: 'team' },
    type: 'kubernetes.io/dockerconfigjson',
    stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
  });
  const spec = { imagePullSecrets: [{ name: 'opens' }] };
  const patch = [
    'patch',
    'imagepull',
    'stolen',
    '--namespace=team',
    '--type=merge',
    `--patch=${JSON.stringify({ spec })}`,
  ];
  await registry.cloud.kubectl(patch);
  await untilComplete('stolen');
});

test('a deleted pull takes its tasks along', { skip }, async () => {
  await registry.cloud.kubectl(['delete', 'imagepulls', '--all', '--namespace=team']);
  await eventually('no task is left', async () => {
    const { items } = await registry.cloud.get<{ items: readonly unknown[] }>(['imagepulltasks', '--namespace=team']);
    return items.length === 0;
  });
});
