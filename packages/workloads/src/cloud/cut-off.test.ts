import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gvr, KubeObject } from '@skerry/api';
import type { DaemonSet, Deployment, DeploymentSpec, Node, Pod, StatefulSet } from '@skerry/api/types';
import { WAITING_FOR_NODES } from './cut-off.ts';
import { daemonSetController } from './daemon-set/index.ts';
import { deploymentController } from './deployment/index.ts';
import { AUTONOMY_DURATION, EDGE_LABEL } from './node-lifecycle/autonomy.ts';
import { isActive, isReady } from './pod-facts.ts';
import { replicaSetController } from './replica-set/index.ts';
import { DAEMON_SETS, DEPLOYMENTS, NODES, PODS, STATEFUL_SETS } from './resources.ts';
import { statefulSetController } from './stateful-set/index.ts';
import { type ScratchCloud, scratchCloud, template } from './testing/scratch-cloud.ts';

const NODE_NAMES = ['here', 'there'];

interface Fleet extends ScratchCloud {
  /** Binds what waits, in turn to the nodes that are heard of, makes it ready there, removes what was told to go, until nothing changes. */
  settle(): Promise<void>;
  setHeard(node: string, isHeard: boolean): Promise<void>;
  setImage(gvr: Gvr, image: string): Promise<void>;
  /** By every other rule the pods of the node would be the first to go. */
  cheapen(node: string): Promise<void>;
  /** `node:image` of each pod that stays, sorted. */
  pods(): Promise<string[]>;
  /** `node:image` of each pod that was told to go and is still there. */
  leaving(): Promise<string[]>;
  waiting(gvr: Gvr): Promise<string | undefined>;
}

/** Two edge nodes, and what the scheduler and the agents would do. */
async function fleet(annotations: Record<string, string> = {}): Promise<Fleet> {
  const cloud = await scratchCloud();
  const { client, context } = cloud;
  cloud.run(
    deploymentController(context),
    replicaSetController(context),
    daemonSetController(context),
    statefulSetController(context),
  );
  for (const name of NODE_NAMES) await cloud.addNode(name, { labels: { [EDGE_LABEL]: 'true' }, annotations });
  const heard = new Set(NODE_NAMES);
  let turn = 0;
  const at = (gvr: Gvr, name = 'web') => ({ gvr, namespace: 'shop', name });
  const listPods = () => cloud.list<Pod>(PODS, 'shop');
  const placeOf = ({ spec }: Pod) => `${spec?.nodeName}:${spec?.containers[0]?.image}`;

  const liveOn = async (pod: Pod): Promise<boolean> => {
    const { name = '' } = pod.metadata;
    const node = pod.spec?.nodeName ?? pinnedTo(pod) ?? [...heard][turn++ % heard.size] ?? '';
    if (pod.spec?.nodeName === undefined) await cloud.bind(pod, node);
    if (!heard.has(node)) return pod.spec?.nodeName === undefined;
    if (pod.metadata.deletionTimestamp !== undefined) {
      await client.delete(at(PODS, name), { gracePeriodSeconds: 0 });
      return true;
    }
    if (isReady(pod)) return false;
    await cloud.setReady(pod);
    return true;
  };
  return {
    ...cloud,
    settle: async () => {
      for (let isMoving = true; isMoving; ) {
        await cloud.calm();
        const moved: boolean[] = [];
        for (const pod of await listPods()) moved.push(await liveOn(pod));
        isMoving = moved.includes(true);
      }
    },
    setHeard: async (name, isHeard) => {
      if (isHeard) heard.add(name);
      else heard.delete(name);
      const at = new Date(cloud.clock.now()).toISOString();
      const condition = { type: 'Ready', status: isHeard ? 'True' : 'Unknown', lastTransitionTime: at };
      const ref = { gvr: NODES, name };
      await client.patch<Node>(ref, { status: { conditions: [condition] } }, { type: 'merge', subresource: 'status' });
      const taints = isHeard ? [] : [{ key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }];
      await client.patch<Node>(ref, { spec: { taints } }, { type: 'merge' });
      await cloud.calm();
    },
    setImage: async (gvr, image) => {
      const spec = { template: { spec: { containers: [{ name: 'main', image }] } } };
      await client.patch(at(gvr), { spec }, { type: 'strategic' });
    },
    cheapen: async (node) => {
      const annotations = { 'controller.kubernetes.io/pod-deletion-cost': '-10' };
      for (const { metadata, spec } of await listPods()) {
        if (spec?.nodeName !== node) continue;
        await client.patch(at(PODS, metadata.name), { metadata: { annotations } }, { type: 'merge' });
      }
    },
    pods: async () => (await listPods()).filter(isActive).map(placeOf).sort(),
    leaving: async () =>
      (await listPods()).filter(({ metadata }) => metadata.deletionTimestamp !== undefined).map(placeOf),
    waiting: async (gvr) => {
      const { status } = await client.get<Deployment>(at(gvr));
      return status?.conditions?.find(({ type }) => type === WAITING_FOR_NODES)?.message;
    },
  };
}

function pinnedTo({ spec }: Pod): string | undefined {
  const [term] = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return term?.matchFields?.[0]?.values?.[0];
}

function workload(kind: string, spec: object): KubeObject {
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'shop' },
    // Without a grace a pod that never was ready would go without its node.
    spec: { selector: { matchLabels: labels }, template: template(labels, 'v1'), ...spec },
  };
}

async function deploy(own: Fleet, spec: Partial<DeploymentSpec> = {}): Promise<void> {
  await own.client.create(DEPLOYMENTS, workload('Deployment', { replicas: 4, ...spec }));
  await own.settle();
}

async function progress(own: Fleet): Promise<string | undefined> {
  const { status } = await own.client.get<Deployment>({ gvr: DEPLOYMENTS, namespace: 'shop', name: 'web' });
  const found = status?.conditions?.find(({ type }) => type === 'Progressing');
  return `${found?.status} ${found?.reason}`;
}

const OLD_SHARE = '2 pods wait for their nodes, which are cut off: there (2)';

test("a Deployment's rollout goes on without a cut-off node, says whom it waits for, and ends when the node is back", async () => {
  await using own = await fleet();
  await deploy(own);
  assert.deepEqual(await own.pods(), ['here:v1', 'here:v1', 'there:v1', 'there:v1']);
  await own.cheapen('there');
  await own.setHeard('there', false);
  await own.setImage(DEPLOYMENTS, 'v2');
  await own.settle();
  assert.deepEqual(await own.pods(), ['here:v2', 'here:v2', 'there:v1', 'there:v1']);
  assert.deepEqual(await own.leaving(), [], 'nothing at the node is told to go');
  assert.equal(await own.waiting(DEPLOYMENTS), OLD_SHARE);
  assert.ok((await own.events('web')).includes(`WaitingForNodes: ${OLD_SHARE}`));
  await own.clock.advance(24 * 3_600_000);
  await own.settle();
  assert.equal(await progress(own), 'True ReplicaSetUpdated', 'no deadline counts while it only waits');
  await own.setHeard('there', true);
  assert.equal(await progress(own), 'True ReplicaSetUpdated', 'the deadline begins anew');
  await own.settle();
  assert.deepEqual(new Set((await own.pods()).map((pod) => pod.split(':')[1])), new Set(['v2']));
  assert.equal((await own.pods()).length, 4);
  assert.equal(await own.waiting(DEPLOYMENTS), undefined);
  assert.equal(await progress(own), 'True NewReplicaSetAvailable');
});

test('what fails by itself still fails by its deadline, whatever is cut off', async () => {
  await using own = await fleet();
  await deploy(own, { progressDeadlineSeconds: 60 });
  await own.setHeard('there', false);
  await own.setImage(DEPLOYMENTS, 'broken');
  // Nobody makes the new pods ready.
  await own.calm();
  await own.clock.advance(120_000);
  await own.calm();
  assert.equal(await progress(own), 'False ProgressDeadlineExceeded');
});

test('new pods that are cut off in the middle of a rollout are waited for, and the others go on', async () => {
  await using own = await fleet();
  await deploy(own);
  await own.setImage(DEPLOYMENTS, 'v2');
  await own.calm();
  for (const pod of await own.list<Pod>(PODS, 'shop'))
    if (pod.spec?.nodeName === undefined) await own.bind(pod, 'there');
  await own.calm();
  await own.setHeard('there', false);
  await own.settle();
  const pods = await own.pods();
  assert.deepEqual(
    pods.filter((pod) => pod.startsWith('here')),
    pods.filter((pod) => pod === 'here:v2'),
    'nothing old is left within reach',
  );
  assert.match((await own.waiting(DEPLOYMENTS)) ?? '', /pods wait for their nodes, which are cut off: there/);
  await own.setHeard('there', true);
  await own.settle();
  assert.deepEqual(new Set((await own.pods()).map((pod) => pod.split(':')[1])), new Set(['v2']));
  assert.equal(await progress(own), 'True NewReplicaSetAvailable');
});

test('Recreate starts nothing new while old pods may run at a cut-off node, and its deadline waits too', async () => {
  await using own = await fleet();
  await deploy(own, { strategy: { type: 'Recreate' }, progressDeadlineSeconds: 60 });
  await own.setHeard('there', false);
  await own.setImage(DEPLOYMENTS, 'v2');
  await own.settle();
  assert.deepEqual(await own.pods(), []);
  assert.equal(await own.waiting(DEPLOYMENTS), OLD_SHARE);
  await own.clock.advance(600_000);
  await own.settle();
  assert.notEqual(await progress(own), 'False ProgressDeadlineExceeded');
  await own.setHeard('there', true);
  await own.settle();
  assert.deepEqual(
    (await own.pods()).map((pod) => pod.split(':')[1]),
    ['v2', 'v2', 'v2', 'v2'],
  );
});

test('a node without autonomy is plain Kubernetes: its pods are replaced like all others', async () => {
  await using own = await fleet({ [AUTONOMY_DURATION]: '0' });
  await deploy(own);
  await own.setHeard('there', false);
  await own.setImage(DEPLOYMENTS, 'v2');
  await own.settle();
  assert.deepEqual(await own.pods(), ['here:v2', 'here:v2', 'here:v2', 'here:v2']);
  assert.equal(await own.waiting(DEPLOYMENTS), undefined);
});

test("a DaemonSet's rollout passes over a cut-off node and comes back to it", async () => {
  await using own = await fleet();
  await own.client.create<DaemonSet>(DAEMON_SETS, workload('DaemonSet', {}) as DaemonSet);
  await own.settle();
  await own.setHeard('here', false);
  await own.setImage(DAEMON_SETS, 'v2');
  await own.settle();
  assert.deepEqual(await own.pods(), ['here:v1', 'there:v2']);
  assert.equal(await own.waiting(DAEMON_SETS), '1 pod waits for its node, which is cut off: here');
  const { status } = await own.client.get<DaemonSet>({ gvr: DAEMON_SETS, namespace: 'shop', name: 'web' });
  assert.deepEqual(
    [status?.desiredNumberScheduled, status?.updatedNumberScheduled, status?.numberMisscheduled],
    [2, 1, 0],
  );
  await own.setHeard('here', true);
  await own.settle();
  assert.deepEqual(await own.pods(), ['here:v2', 'there:v2']);
  assert.equal(await own.waiting(DAEMON_SETS), undefined);
});

test("a StatefulSet's rollout passes over the ordinals of a cut-off node and comes back to them", async () => {
  await using own = await fleet();
  const spec = { replicas: 4, serviceName: 'web' };
  await own.client.create<StatefulSet>(STATEFUL_SETS, workload('StatefulSet', spec) as StatefulSet);
  await own.settle();
  assert.deepEqual(await own.pods(), ['here:v1', 'here:v1', 'there:v1', 'there:v1']);
  await own.setHeard('there', false);
  await own.setImage(STATEFUL_SETS, 'v2');
  await own.settle();
  assert.deepEqual(await own.pods(), ['here:v2', 'here:v2', 'there:v1', 'there:v1']);
  assert.equal(await own.waiting(STATEFUL_SETS), OLD_SHARE);
  await own.setHeard('there', true);
  await own.settle();
  assert.deepEqual(new Set((await own.pods()).map((pod) => pod.split(':')[1])), new Set(['v2']));
  assert.equal(await own.waiting(STATEFUL_SETS), undefined);
});
