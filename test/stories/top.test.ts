/** `kubectl top` behind NAT, with every runtime, from the cloud and at the edge. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  COUNTING,
  eventually,
  GROUNDS,
  type Ground,
  type GroundKind,
  pod,
  type Runtime,
  skipWithout,
  TcpProxy,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

/** Uses a processor for as long as it is let. */
const BUSY = 'trap "exit 0" TERM; while :; do :; done';
const MIB = 1024 * 1024;

for (const kind of GROUNDS) suite(`with ${kind.name}`, { skip: skipWithout(...kind.needs) }, () => tell(kind));

function tell(kind: GroundKind): void {
  let cloud: TestCloud;
  let edge: TestEdge;
  let cable: TcpProxy;
  let ground: Ground;
  let runtime: Runtime;

  before(async () => {
    cloud = await TestCloud.start();
    // Nothing reaches the node but the link that it has dialled itself.
    cable = await TcpProxy.start(cloud.linkAddress);
    ground = await kind.open();
    ({ runtime } = ground);
    edge = await TestEdge.join(cloud, {
      name: 'edge-1',
      args: ['--join', cable.address],
      ...ground.edge,
    });
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
    await cloud.apply(pod(runtime, { name: 'busy', script: BUSY, container: { name: 'spin' } }));
    await cloud.apply(pod(runtime, { name: 'idle', script: COUNTING, labels: { mood: 'calm' } }));
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/busy', 'pod/idle', '--timeout=60s']);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await ground?.[Symbol.asyncDispose]();
    await cable?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  for (const version of ['1.32', '1.35'] as const) {
    test(`kubectl ${version} shows what pods and their containers use`, async () => {
      const pods = table(await cloud.kubectl(['top', 'pod', '--no-headers'], { version }));
      assert.deepEqual(new Set(pods.map(([name]) => name)), new Set(['busy', 'idle']));
      const containers = table(await cloud.kubectl(['top', 'pod', '--containers', '--no-headers'], { version }));
      assert.deepEqual(
        new Set(containers.map(([name, container]) => `${name}/${container}`)),
        new Set(['busy/spin', 'idle/main']),
      );
      const sorted = table(await cloud.kubectl(['top', 'pod', '-A', '--sort-by=cpu', '--no-headers'], { version }));
      assert.equal(sorted[0]?.[1], 'busy');
    });

    test(`kubectl ${version} shows what the node uses`, async () => {
      const [row] = table(await cloud.kubectl(['top', 'node', '--no-headers'], { version }));
      assert.match(row?.join(' ') ?? '', /^edge-1 \d+m \d+% \d+Mi \d+%$/);
    });
  }

  test('the busy one uses a good part of a core, the idle one next to nothing, and both some memory', async () => {
    const { items } = await cloud.get<{ items: PodMetrics[] }>(['podmetrics']);
    const [busy, idle] = ['busy', 'idle'].map((name) => items.find(({ metadata }) => metadata.name === name));
    const cores = [busy, idle].map((each) => coresOf(each?.containers[0]?.usage.cpu));
    assert.ok((cores[0] ?? 0) > 4 * (cores[1] ?? 0), `${cores}`);
    for (const each of [busy, idle]) {
      const memory = Number.parseInt(each?.containers[0]?.usage.memory ?? '', 10) * 1024;
      assert.ok(memory > MIB / 16 && memory < 256 * MIB, `${memory}`);
    }
  });

  test('labels and names select', async () => {
    assert.match(await cloud.kubectl(['top', 'pod', '-l', 'mood=calm', '--no-headers']), /^idle +\d+m +\d+Mi +\n$/);
    assert.match(await cloud.kubectl(['top', 'pod', 'busy', '--no-headers']), /^busy /);
    const { code, stderr } = await cloud.tryKubectl(['top', 'pod', 'nobody']);
    assert.deepEqual([code, stderr], [1, 'Error from server (NotFound): pods.metrics.k8s.io "nobody" not found\n']);
  });

  test('kubectl get prints them as a table', async () => {
    assert.match(await cloud.kubectl(['get', 'podmetrics']), /NAME +CPU +MEMORY +WINDOW\nbusy +\d+[um]? +\d+Ki +\d/);
  });

  test('the node answers for itself at its own API', async () => {
    const pods = table(await edge.kubectl(['top', 'pod', '--no-headers']));
    assert.deepEqual(new Set(pods.map(([name]) => name)), new Set(['busy', 'idle']));
    assert.match(await edge.kubectl(['top', 'node', '--no-headers']), /^edge-1 +\d+m/);
  });

  test('who may view a namespace may see what its pods use, and no others', async () => {
    await cloud.kubectl(['create', 'serviceaccount', 'viewer']);
    await cloud.kubectl(['create', 'rolebinding', 'viewer', '--clusterrole=view', '--serviceaccount=default:viewer']);
    const as = '--as=system:serviceaccount:default:viewer';
    await eventually('the role is in force', async () => (await cloud.tryKubectl(['top', 'pod', as])).code === 0);
    const { stderr } = await cloud.tryKubectl(['top', 'pod', '-A', as]);
    assert.match(stderr, /cannot list resource "pods" in API group "metrics.k8s.io" at the cluster scope/);
  });

  test('a node that is cut off is left out, and still answers for itself', async () => {
    cable.cut();
    await eventually('the cloud leaves it out', async () => {
      const { stdout, stderr } = await cloud.tryKubectl(['top', 'pod', 'busy', '--no-headers']);
      return stdout === '' && /not found/.test(stderr);
    });
    assert.match(await edge.kubectl(['top', 'pod', 'busy', '--no-headers']), /^busy /);
    cable.mend();
    await eventually('the cloud shows it again', async () => {
      const { code } = await cloud.tryKubectl(['top', 'pod', 'busy']);
      return code === 0;
    });
  });
}

interface PodMetrics {
  readonly metadata: { readonly name: string };
  readonly containers: readonly { readonly usage: { readonly cpu: string; readonly memory: string } }[];
}

function table(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
}

const SUFFIXES: Readonly<Record<string, number>> = { n: 1e-9, u: 1e-6, m: 1e-3 };

function coresOf(quantity: string | undefined): number {
  const [, digits = '', suffix = ''] = /^(\d+)([num]?)$/.exec(quantity ?? '') ?? [];
  return Number(digits) * (SUFFIXES[suffix] ?? 1);
}
