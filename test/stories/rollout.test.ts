/** A rollout while a node is cut off: its share waits and says so, the rest goes on, and all is level once the node is back. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Deployment, Pod } from '@skerry/api/types';
import { COUNTING, eventually, PROCESS, skipWithout, TcpProxy, TestCloud, TestEdge } from '@skerry/testkit/processes';

/** Silence is noticed soon, and leases are renewed often enough for a busy machine. */
const QUICK = { cloud: ['--node-monitor-grace-period', '6s'], edge: ['--node-lease-duration', '6s'] } as const;
const KINDS = ['Deployment', 'DaemonSet', 'StatefulSet'] as const;

type Kind = (typeof KINDS)[number];

suite('rollouts', { skip: skipWithout(...PROCESS.needs) }, () => {
  const edges: TestEdge[] = [];
  let cloud: TestCloud;
  let cable: TcpProxy;

  before(async () => {
    cloud = await TestCloud.start({ args: QUICK.cloud });
    cable = await TcpProxy.start(cloud.linkAddress);
    edges.push(await TestEdge.join(cloud, { name: 'near', args: QUICK.edge }));
    edges.push(await TestEdge.join(cloud, { name: 'far', args: [...QUICK.edge, '--join', cable.address] }));
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node/near', 'node/far', '--timeout=30s']);
    for (const kind of KINDS) await cloud.apply(workload(kind, 'one'));
    for (const kind of KINDS) await cloud.kubectl(['rollout', 'status', resource(kind), '--timeout=60s']);
  });
  after(async () => {
    for (const edge of edges) await edge[Symbol.asyncDispose]();
    await cable?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  /** `name version` of the pods of a kind, by their node. */
  async function podsBy(kind: Kind): Promise<Map<string, string[]>> {
    const { items } = await cloud.get<{ items: Pod[] }>(['pods', '-l', `app=${nameOf(kind)}`]);
    const staying = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const lines = staying.map(({ metadata, spec }) => ({
      node: spec?.nodeName ?? '',
      line: `${metadata.uid} ${spec?.containers[0]?.env?.[0]?.value}`,
    }));
    return new Map(
      [...Map.groupBy(lines, ({ node }) => node)].map(([node, all]) => [node, all.map(({ line }) => line)]),
    );
  }

  async function conditionOf(kind: Kind, type: string) {
    const { status } = await cloud.get<Deployment>([resource(kind)]);
    return status?.conditions?.find((condition) => condition.type === type);
  }

  const atFirst = new Map<Kind, Map<string, string[]>>();

  test('before anything is cut off, both nodes have their share', async () => {
    for (const kind of KINDS) {
      const pods = await podsBy(kind);
      assert.deepEqual(new Set(pods.keys()), new Set(['near', 'far']), kind);
      atFirst.set(kind, pods);
    }
  });

  test('within reach everything is replaced, out of reach nothing is touched, and the object says whom it waits for', async () => {
    cable.cut();
    await cloud.kubectl(['wait', '--for=condition=Ready=Unknown', 'node/far', '--timeout=60s']);
    for (const kind of KINDS) await cloud.apply(workload(kind, 'two'));
    for (const kind of KINDS) {
      const old = atFirst.get(kind);
      const share = old?.get('far')?.length ?? 0;
      const pods = await eventually(`the share of ${kind} within reach`, async () => {
        const now = await podsBy(kind);
        const near = now.get('near') ?? [];
        return near.length === old?.get('near')?.length && near.every((pod) => pod.endsWith(' two')) && now;
      });
      assert.deepEqual(new Set(pods.get('far')), new Set(old?.get('far')), `${kind} at the cut-off node`);
      const waiting = await eventually(`${kind} says so`, () => conditionOf(kind, 'WaitingForNodes'));
      const expected =
        share === 1
          ? '1 pod waits for its node, which is cut off: far'
          : `${share} pods wait for their nodes, which are cut off: far (${share})`;
      assert.deepEqual([waiting.status, waiting.message], ['True', expected]);
      await eventually(`an event of ${kind}`, async () =>
        (await cloud.kubectl(['describe', resource(kind)])).includes(`WaitingForNodes`),
      );
    }
  });

  test('kubectl rollout status waits with it', async () => {
    const { code, stdout } = await cloud.tryKubectl(['rollout', 'status', 'deployment/deployment', '--timeout=1s']);
    assert.notEqual(code, 0);
    assert.match(stdout, /Waiting for deployment "deployment" rollout to finish: \d out of 4 new replicas/);
    const daemons = await cloud.tryKubectl(['rollout', 'status', 'daemonset/daemonset', '--timeout=1s']);
    assert.match(daemons.stdout, /Waiting for daemon set "daemonset" rollout to finish: 1 out of 2 new pods/);
    const progressing = await conditionOf('Deployment', 'Progressing');
    assert.deepEqual([progressing?.status, progressing?.reason], ['True', 'ReplicaSetUpdated']);
  });

  test('the node is back: its share follows, and every rollout ends', async () => {
    cable.mend();
    for (const kind of KINDS) {
      await cloud.kubectl(['rollout', 'status', resource(kind), '--timeout=90s'], { timeoutMs: 120_000 });
      const pods = [...(await podsBy(kind)).values()].flat();
      assert.ok(
        pods.every((pod) => pod.endsWith(' two')),
        `${kind}: ${pods}`,
      );
      await eventually(`${kind} waits no more`, async () => (await conditionOf(kind, 'WaitingForNodes')) === undefined);
    }
  });
});

function nameOf(kind: Kind): string {
  return kind.toLowerCase();
}

function resource(kind: Kind): string {
  return `${nameOf(kind)}/${nameOf(kind)}`;
}

function workload(kind: Kind, version: string): object {
  const labels = { app: nameOf(kind) };
  const env = [{ name: 'VERSION', value: version }];
  const readinessProbe = { exec: { command: ['true'] }, periodSeconds: 1 };
  const main = { name: 'main', image: PROCESS.image, command: ['/bin/sh', '-c', COUNTING], env, readinessProbe };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: nameOf(kind) },
    spec: {
      selector: { matchLabels: labels },
      ...(kind === 'DaemonSet' ? {} : { replicas: 4 }),
      ...(kind === 'StatefulSet' ? { serviceName: nameOf(kind) } : {}),
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 2, containers: [main] } },
    },
  };
}
