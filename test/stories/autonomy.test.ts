/** Story 5: nodes are away for long, and each keeps its pods for as long as its autonomy says. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { EndpointSlice, Node, Pod } from '@skerry/api/types';
import {
  COUNTING,
  deployment,
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

const AUTONOMY = 'skerry.io/autonomy-duration';
/** Each node by its name, with its annotation; the first has none. */
const NODES = { forever: undefined, limited: '8s', plain: '0' } as const;
type NodeName = keyof typeof NODES;
const NAMES = Object.keys(NODES) as NodeName[];
/** So that a node is missed within seconds. */
const QUICK = { cloud: ['--node-monitor-grace-period', '6s'], edge: ['--node-lease-duration', '6s'] } as const;

for (const kind of GROUNDS) suite(`with ${kind.name}`, { skip: skipWithout(...kind.needs) }, () => tell(kind));

function tell(kind: GroundKind): void {
  let cloud: TestCloud;
  let cable: TcpProxy;
  let edges: readonly TestEdge[] = [];
  /** One for each node. */
  let grounds: readonly Ground[] = [];
  let runtime: Runtime;
  let atTheCut: ReadonlyMap<string, string>;

  before(async () => {
    cloud = await TestCloud.start({ args: QUICK.cloud });
    cable = await TcpProxy.start(cloud.linkAddress);
    const args = ['--join', cable.address, ...QUICK.edge];
    grounds = await Promise.all(NAMES.map(() => kind.open()));
    runtime = (grounds[0] as Ground).runtime;
    edges = await Promise.all(
      NAMES.map((name, index) => TestEdge.join(cloud, { name, args, ...grounds[index]?.edge })),
    );
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node', '--all', '--timeout=60s']);
    for (const [name, duration] of Object.entries(NODES))
      if (duration !== undefined) await cloud.kubectl(['annotate', 'node', name, `${AUTONOMY}=${duration}`]);
  });
  after(async () => {
    cable?.mend();
    await Promise.all(edges.map((edge) => edge[Symbol.asyncDispose]()));
    await Promise.all(grounds.map((ground) => ground[Symbol.asyncDispose]()));
    await cable?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  function single(name: string, node: NodeName, annotations = {}): object {
    return pod(runtime, { name, script: COUNTING, annotations, ...on(node) });
  }

  async function podsOf(selector: string): Promise<readonly Pod[]> {
    return (await cloud.get<{ items: Pod[] }>(['pods', '-l', selector])).items;
  }

  async function readyEndpoints(service: string): Promise<number> {
    const slices = await cloud.get<{ items: EndpointSlice[] }>([
      'endpointslices',
      '-l',
      `kubernetes.io/service-name=${service}`,
    ]);
    return slices.items
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready === true).length;
  }

  async function containersOf(selector: string): Promise<ReadonlyMap<string, string>> {
    const pods = await podsOf(selector);
    return new Map(
      pods.map(({ metadata, status }) => [metadata.name ?? '', status?.containerStatuses?.[0]?.containerID ?? '']),
    );
  }

  function nodeIs(name: NodeName, ready: string, taints: readonly string[]): Promise<unknown> {
    return eventually(`node ${name} is ${ready} with its taints`, async () => {
      const node = await cloud.get<Node>(['node', name]);
      const condition = node.status?.conditions?.find(({ type }) => type === 'Ready');
      assert.deepEqual({ ready: condition?.status, taints: taintsOf(node) }, { ready, taints });
      return true;
    });
  }

  test('every node runs its workloads, and a Service leads to them', async () => {
    for (const name of NAMES)
      await cloud.apply(deployment(runtime, { name, replicas: 2, script: COUNTING, ...on(name) }));
    await cloud.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'forever' },
      spec: { selector: { app: 'forever' }, ports: [{ port: 80 }] },
    });
    for (const each of [
      single('left', 'forever'),
      single('forced', 'forever'),
      single('hasty', 'forever', { [AUTONOMY]: '1s' }),
      single('patient', 'plain', { [AUTONOMY]: '24h' }),
    ])
      await cloud.apply(each);
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s']);
    for (const name of NAMES) await cloud.kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=60s']);
    await eventually('two endpoints are ready', async () => (await readyEndpoints('forever')) === 2);
    atTheCut = await containersOf('app');
  });

  test('cut off, all become Unknown; only the one without autonomy is given up at once', async () => {
    cable.cut();
    const unreachable = (effect: string) => `node.kubernetes.io/unreachable:${effect}`;
    await nodeIs('plain', 'Unknown', [unreachable('NoExecute'), unreachable('NoSchedule')]);
    await nodeIs('forever', 'Unknown', [unreachable('NoSchedule')]);
    await eventually('no endpoint is ready', async () => (await readyEndpoints('forever')) === 0);
    await eventually('the pods of the plain node leave', async () => {
      const leaving = (await podsOf('app=plain')).filter(isLeaving);
      return leaving.length === 2;
    });
    assert.ok(!(await podsOf('app=patient')).some(isLeaving), 'a pod with an autonomy of its own stays');
  });

  test('a limit is kept to, for a node and for a pod', async () => {
    await eventually('the pod that allows one second leaves', async () => (await podsOf('app=hasty')).every(isLeaving));
    await eventually(
      'the pods of the limited node leave',
      async () => (await podsOf('app=limited')).filter(isLeaving).length === 2,
    );
    await nodeIs('limited', 'Unknown', [
      'node.kubernetes.io/unreachable:NoExecute',
      'node.kubernetes.io/unreachable:NoSchedule',
    ]);
  });

  test('what was given up is replaced, what is autonomous is not', async () => {
    for (const name of ['plain', 'limited'])
      await eventually(`new pods of ${name} wait for a node`, async () => {
        const fresh = (await podsOf(`app=${name}`)).filter((each) => !isLeaving(each));
        return fresh.length === 2 && fresh.every(({ status }) => status?.phase === 'Pending');
      });
    const kept = await podsOf('app=forever');
    assert.deepEqual(
      kept.map((each) => [isLeaving(each), each.status?.phase]),
      [
        [false, 'Running'],
        [false, 'Running'],
      ],
    );
  });

  test('a pod deleted meanwhile stays Terminating, unless it is forced', async () => {
    await cloud.kubectl(['delete', 'pod/left', '--wait=false']);
    await cloud.kubectl(['delete', 'pod/forced', '--force', '--grace-period=0', '--timeout=20s']);
    assert.match(await cloud.kubectl(['get', 'pods']), /^left .*Terminating/m);
    assert.deepEqual(await podsOf('app=forced'), []);
  });

  test('back again: what was kept was never restarted, what was deleted ends', async () => {
    cable.mend();
    // After so long they dial every half a minute only; one that is started anew dials at once, and takes its pods over.
    await Promise.all(edges.map((edge) => edge.process.stop()));
    await Promise.all(edges.map((edge) => edge.process.start()));
    for (const name of NAMES) await nodeIs(name, 'True', []);
    await cloud.kubectl(['wait', '--for=delete', 'pod/left', 'pod/hasty', '--timeout=60s']);
    for (const name of NAMES) await cloud.kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=60s']);
    for (const app of ['forever', 'patient'])
      for (const [name, container] of await containersOf(`app=${app}`))
        assert.equal(container, atTheCut.get(name), name);
    await eventually('two endpoints are ready again', async () => (await readyEndpoints('forever')) === 2);
    const [forever] = edges;
    await eventually('the forced pod ended at the node too', async () => {
      const { code } = await (forever as TestEdge).tryKubectl(['get', 'pod', 'forced']);
      return code !== 0;
    });
  });
}

/** A pod's place, and the patience that Kubernetes would give it there. */
function on(node: NodeName): { readonly spec: object } {
  const tolerations = ['unreachable', 'not-ready'].map((what) => ({
    key: `node.kubernetes.io/${what}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 2,
  }));
  return { spec: { nodeSelector: { 'kubernetes.io/hostname': node }, tolerations } };
}

function isLeaving({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function taintsOf({ spec }: Node): readonly string[] {
  return (spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).toSorted();
}
