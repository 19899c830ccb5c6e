/** An image of a registry on a node that has no container runtime: created, rolled out, looked into, cut off, as root and as anybody. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Node, Pod } from '@skerry/api/types';
import {
  COUNTING,
  deployment,
  eventually,
  imageOn,
  type SystemNeed,
  skipWithout,
  TestCloud,
  TestEdge,
  TestRegistry,
} from '@skerry/testkit/processes';

const NEEDS: readonly SystemNeed[] = ['bubblewrap', 'busybox-static'];
/** Debian's `nobody`, whom every machine knows. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

suite('as root', { skip: skipWithout('root', ...NEEDS) }, () =>
  tell((cloud) => TestEdge.join(cloud, { name: 'edge-1' })),
);
suite('as an ordinary user', { skip: skipWithout(...NEEDS) }, () => tell(joinAsUser));

/** Whoever runs the test is one already, but for root. */
async function joinAsUser(cloud: TestCloud): Promise<TestEdge> {
  if (!isRoot) return TestEdge.join(cloud, { name: 'edge-1' });
  const dir = mkdtempSync(join(tmpdir(), 'skerry-nobody-'));
  chmodSync(dir, 0o755);
  chownSync(dir, NOBODY, NOBODY);
  const id = String(NOBODY);
  const wrapper = ['setpriv', '--reuid', id, '--regid', id, '--clear-groups', '--'];
  const env = { HOME: dir, SKERRY_KEY_DIR: join(dir, 'keys') };
  return TestEdge.join(cloud, { name: 'edge-1', dir, ownsDir: true, wrapper, env });
}

function tell(join: (cloud: TestCloud) => Promise<TestEdge>): void {
  let cloud: TestCloud;
  let registry: TestRegistry;
  let edge: TestEdge;

  before(async () => {
    [cloud, registry] = await Promise.all([TestCloud.start(), TestRegistry.start()]);
    edge = await join(cloud);
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=60s']);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  async function pods(selector: string): Promise<readonly Pod[]> {
    return (await cloud.get<{ items: Pod[] }>(['pods', '-l', selector])).items;
  }

  test('kubectl create deployment is all that it takes', async () => {
    await cloud.kubectl(['create', 'deployment', 'web', `--image=${registry.host}/web`, '--', 'sh', '-c', COUNTING]);
    await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=120s']);
    const [pod] = await pods('app=web');
    assert.match(pod?.status?.containerStatuses?.[0]?.imageID ?? '', /\/web@sha256:[0-9a-f]{64}$/);
    const inside = await cloud.kubectl(['exec', 'deployment/web', '--', 'ls', '/']);
    assert.deepEqual(inside.trim().split('\n').sort(), ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'var']);
    await cloud.kubectl(['exec', 'deployment/web', '--', 'sh', '-c', 'echo mine > /root/file']);
    assert.equal(await cloud.kubectl(['exec', 'deployment/web', '--', 'cat', '/root/file']), 'mine\n');
  });

  test('a rollout starts fresh roots, logs are read, pods are gone when deleted', async () => {
    const runtime = imageOn(registry);
    await cloud.apply(deployment(runtime, { name: 'count', replicas: 3, script: `echo one > /stamp; ${COUNTING}` }));
    await cloud.kubectl(['rollout', 'status', 'deployment/count', '--timeout=120s']);
    const script = `test -e /stamp && echo stale || echo fresh; ${COUNTING}`;
    await cloud.apply(deployment(runtime, { name: 'count', replicas: 3, script }));
    await cloud.kubectl(['rollout', 'status', 'deployment/count', '--timeout=120s']);
    await eventually('the new ones say so', async () =>
      (await cloud.kubectl(['logs', 'deployment/count'])).startsWith('fresh\n'),
    );
    await cloud.kubectl(['delete', 'deployment', 'count']);
    await eventually('they are gone', async () => (await pods('app=count')).length === 0);
  });

  test('the node tells which images it has', async () => {
    await eventually('the image is listed', async () => {
      const { status } = await cloud.get<Node>(['node', 'edge-1']);
      return (status?.images ?? []).some(({ names }) => names?.includes(`${registry.host}/web:latest`));
    });
  });

  test('the agent comes back to its containers', async () => {
    const [before] = await pods('app=web');
    const name = before?.metadata?.name ?? '';
    await edge.process.stop();
    await edge.process.start();
    await eventually('the container is what it was', async () => {
      const { code } = await edge.tryKubectl(['exec', name, '--', 'test', '-e', '/root/file']);
      return code === 0;
    });
    const [same] = await pods('app=web');
    assert.deepEqual(idOf(same), idOf(before));
  });

  test('with its registry away, a container starts anew from what is here, and an event says so', async () => {
    await registry[Symbol.asyncDispose]();
    const name = await startAnew();
    const { code } = await edge.tryKubectl(['exec', name, '--', 'test', '-e', '/root/file']);
    assert.notEqual(code, 0, 'the root is a fresh one');
  });

  test('cut off, it starts anew too', async () => {
    await cloud.process.stop();
    await startAnew();
    await cloud.process.start();
  });

  /** The tag is `latest`, so that the registry would have been asked: an event says that it was not. Gives the pod's name. */
  async function startAnew(): Promise<string> {
    const { items } = JSON.parse(await edge.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'json'])) as {
      items: Pod[];
    };
    const [before] = items;
    const name = before?.metadata?.name ?? '';
    const refusals = await notRefreshed();
    await edge.kubectl(['exec', name, '--', 'kill', '1']);
    await eventually('it runs again', async () => {
      const again = JSON.parse(await edge.kubectl(['get', 'pod', name, '-o', 'json'])) as Pod;
      return idOf(again) !== idOf(before) && again.status?.containerStatuses?.[0]?.ready === true;
    });
    await eventually('the event is there', async () => (await notRefreshed()) > refusals);
    return name;
  }

  async function notRefreshed(): Promise<number> {
    const selector = '--field-selector=reason=ImageNotRefreshed';
    const { items } = JSON.parse(await edge.kubectl(['get', 'events', selector, '-o', 'json'])) as {
      items: { count?: number }[];
    };
    return items.reduce((sum, { count = 1 }) => sum + count, 0);
  }
}

function idOf(pod: Pod | undefined): string | undefined {
  return pod?.status?.containerStatuses?.[0]?.containerID;
}
