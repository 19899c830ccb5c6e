/** Pods on nodes, what limits their going, and where Services find them. */
import assert from 'node:assert/strict';
import type { Node, Pod } from '@skerry/api/types';
import { absent, at, type Lab, refused } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { controller, podSpec, replicated } from '../workloads.ts';

const PODS = '[sig-node] Pods';

export const POD_CASES: readonly Requirement[] = [
  requirement(
    '[sig-architecture] Conformance Tests should have at least two untainted nodes',
    'two nodes at least take any pod',
    async (lab) => {
      const isOpen = ({ spec }: Node) => (spec?.taints ?? []).every(({ effect }) => effect === 'PreferNoSchedule');
      assert.ok((await lab.of('Node').list()).items.filter(isOpen).length >= 2);
    },
  ),
  requirement(
    `${PODS} should be submitted and removed [NodeConformance]`,
    'a pod is seen added, running, marked for its end and deleted',
    async (lab) => {
      using watch = await lab.of('Pod').watch({ labelSelector: `suite=${lab.id}` });
      await lab.of('Pod').create({ metadata: { name: 'pod', labels: { suite: lab.id } }, spec: podSpec(lab) });
      await watch.see('ADDED', 'pod');
      await running(lab);
      await lab.of('Pod').delete('pod', { gracePeriodSeconds: 30 });
      await watch.until('its mark', ({ object }) => object.metadata.deletionTimestamp !== undefined);
      const { object } = await watch.see('DELETED', 'pod');
      assert.ok(object.metadata.deletionGracePeriodSeconds !== undefined);
    },
  ),
  requirement(
    `${PODS} should be updated [NodeConformance]`,
    'labels of a running pod change, and it runs on',
    async (lab) => {
      await lab.of('Pod').create({ metadata: { name: 'pod', labels: { time: '1' } }, spec: podSpec(lab) });
      await running(lab);
      await lab.of('Pod').change('pod', ({ metadata }) => {
        metadata.labels = { time: '2' };
      });
      assert.equal((await lab.of('Pod').list({ labelSelector: 'time=2' })).items.length, 1);
      await running(lab);
    },
  ),
  requirement(
    `${PODS} should get a host IP [NodeConformance]`,
    'a running pod has the address of its host',
    async (lab) => {
      await lab.of('Pod').create({ metadata: { name: 'pod' }, spec: podSpec(lab) });
      const { status } = await running(lab);
      assert.match(status?.hostIP ?? '', /^[\da-f.:]+$/);
      assert.equal(status?.hostIPs?.[0]?.ip, status?.hostIP);
    },
  ),
  requirement(`${PODS} should patch a pod status`, "a condition is patched into a pod's status", async (lab) => {
    await lab.of('Pod').create({ metadata: { name: 'pod' }, spec: podSpec(lab) });
    await running(lab);
    const condition = { type: 'CaseTried', status: 'True', reason: 'Case', message: 'by the suite' };
    const patched = await lab
      .of('Pod')
      .patch(
        'pod',
        { metadata: { annotations: { patched: 'yes' } }, status: { conditions: [condition] } },
        'strategic',
        'status',
      );
    assert.ok(
      patched.status?.conditions?.some(({ type, message }) => type === 'CaseTried' && message === 'by the suite'),
    );
    assert.equal(patched.metadata.annotations?.['patched'], 'yes');
  }),
  requirement(
    `${PODS} should run through the lifecycle of Pods and PodStatus`,
    'a pod is made, patched, its status replaced, and deleted as a collection, and a watch sees it',
    livesThrough,
  ),
  requirement(
    '[sig-node] Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete',
    'the generation of a new pod is 1 whatever was asked for, and its graceful deletion raises it by one',
    async (lab) => {
      const made = await lab
        .of('Pod')
        .create({ metadata: { name: 'pod', generation: 100, finalizers: ['example.com/held'] }, spec: podSpec(lab) });
      assert.equal(made.metadata.generation, 1);
      await running(lab);
      await lab.of('Pod').delete('pod');
      const going = await lab.of('Pod').get('pod');
      assert.equal(going.metadata.generation, 2);
      await lab.of('Pod').patch('pod', { metadata: { finalizers: null } });
      await lab.eventually('it is gone', async () => (await absent(lab.of('Pod').get('pod'))).code === 404);
    },
  ),
  requirement(
    '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead [NodeConformance]',
    'a pod takes over the overhead of its RuntimeClass',
    (lab) => takesOverhead(lab, { cpu: '10m', memory: '1Mi' }),
  ),
  requirement(
    '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead [NodeConformance]',
    'a pod of a RuntimeClass without overhead has none',
    (lab) => takesOverhead(lab, undefined),
  ),
  requirement(
    '[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it',
    'an eviction is refused with 429 while a budget does not allow it, and granted once it does',
    blocksEviction,
  ),
  requirement(
    '[sig-apps] DisruptionController should observe PodDisruptionBudget status updated',
    'the status of a budget counts the healthy pods and the disruptions that it allows',
    async (lab) => {
      await lab.of('PodDisruptionBudget').create(budget(1));
      await lab.of('ReplicaSet').create(replicated(lab, 'one', 3));
      await lab.eventually('it is counted', async () => {
        const { status } = await lab.of('PodDisruptionBudget').get('budget');
        return status?.currentHealthy === 3 && status.disruptionsAllowed === 2 && status.expectedPods === 3;
      });
    },
  ),
  requirement(
    '[sig-apps] DisruptionController should update/patch PodDisruptionBudget status',
    'the status of a budget is replaced and patched',
    async (lab) => {
      const budgets = lab.of('PodDisruptionBudget');
      await budgets.create(budget(1));
      await lab.eventually('it is looked at', async () => {
        const { status, metadata } = await budgets.get('budget');
        return status?.observedGeneration === metadata.generation;
      });
      const updated = await budgets.change(
        'budget',
        (each) => Object.assign(each.status ?? {}, { disruptedPods: { one: '2026-01-02T03:04:05Z' } }),
        'status',
      );
      assert.ok(updated.status?.disruptedPods?.['one']);
      const patched = await budgets.patch(
        'budget',
        { metadata: { annotations: { patched: 'yes' } }, status: { disruptedPods: { one: null } } },
        'merge',
        'status',
      );
      assert.equal(patched.status?.disruptedPods?.['one'], undefined);
      assert.equal(patched.metadata.annotations?.['patched'], 'yes');
    },
  ),
  requirement(
    '[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service',
    'the addresses of the pods that a Service selects are in its EndpointSlices and its Endpoints, and come back when deleted',
    (lab) => leadsToPods(lab, true),
  ),
  requirement(
    '[sig-network] EndpointsController should create Endpoints for Pods matching a Service',
    'the addresses of the pods that a Service selects are in its Endpoints',
    (lab) => leadsToPods(lab, false),
  ),
];

function running(lab: Lab, name = 'pod'): Promise<Pod> {
  return lab.eventually(`${name} is ready`, async () => {
    const pod = await lab.of('Pod').get(name);
    return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true && pod;
  });
}

async function livesThrough(lab: Lab): Promise<void> {
  const pods = lab.of('Pod');
  using watch = await pods.watch();
  await pods.create({ metadata: { name: 'pod', labels: { suite: lab.id } }, spec: podSpec(lab) });
  await watch.see('ADDED', 'pod');
  await watch.until(
    'it is ready',
    ({ object }) =>
      object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
  );
  await pods.patch('pod', { metadata: { labels: { patched: 'yes' } } }, 'strategic');
  await watch.until('the patch', ({ object }) => object.metadata.labels?.['patched'] === 'yes');
  const condition = { type: 'Case', status: 'True' };
  const replaced = await pods.change(
    'pod',
    ({ status }) => {
      if (status !== undefined) status.conditions = [...(status.conditions ?? []), condition];
    },
    'status',
  );
  assert.ok(replaced.status?.conditions?.some(({ type }) => type === 'Case'));
  await pods.deleteAll(`suite=${lab.id}`, { gracePeriodSeconds: 1 });
  await watch.see('DELETED', 'pod');
}

/** The handler is that of a class which the cluster has, else any: where the pod runs is not what this is about. */
async function takesOverhead(lab: Lab, podFixed: object | undefined): Promise<void> {
  const name = `overhead-${lab.id}`;
  const overhead = podFixed === undefined ? {} : { overhead: { podFixed } };
  const [known] = (await lab.of('RuntimeClass').list()).items;
  await lab.of('RuntimeClass').create({ metadata: { name }, handler: known?.['handler'] ?? 'runc', ...overhead });
  const pod = { metadata: { name: 'pod' }, spec: { ...podSpec(lab), runtimeClassName: name } };
  const made = await lab.eventually('the class is known', () => lab.of('Pod').create(pod));
  assert.deepEqual(made.spec?.overhead, podFixed);
  await lab.eventually('it is scheduled', async () => {
    const { status } = await lab.of('Pod').get('pod');
    return status?.conditions?.some((each) => each.type === 'PodScheduled' && each.status === 'True');
  });
}

function budget(minAvailable: number): object {
  return { metadata: { name: 'budget' }, spec: { minAvailable, selector: { matchLabels: { app: 'one' } } } };
}

async function blocksEviction(lab: Lab): Promise<void> {
  const budgets = lab.of('PodDisruptionBudget');
  await lab.of('ReplicaSet').create(replicated(lab, 'one', 2));
  await budgets.create(budget(2));
  await lab.eventually('both pods are healthy', async () => (await budgets.get('budget')).status?.currentHealthy === 2);
  const [pod] = (await lab.of('Pod').list()).items;
  const name = pod?.metadata.name ?? '';
  const evict = () =>
    lab.api.object({
      method: 'POST',
      path: lab.of('Pod').pathOf(name, 'eviction'),
      body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: lab.namespace } },
    });
  const { details } = await refused(evict(), { code: 429, reason: 'TooManyRequests' });
  assert.equal(details?.causes?.[0]?.reason, 'DisruptionBudget');
  await budgets.patch('budget', { spec: { minAvailable: 1 } });
  await lab.eventually('one may go', async () => {
    const { status, metadata } = await budgets.get('budget');
    return status?.observedGeneration === metadata.generation && status?.disruptionsAllowed === 1;
  });
  await evict();
  await lab.eventually('it goes', async () => {
    const { items } = await lab.of('Pod').list({ fieldSelector: `metadata.name=${name}` });
    return items.every(({ metadata }) => metadata.deletionTimestamp !== undefined);
  });
}

async function leadsToPods(lab: Lab, comesBack: boolean): Promise<void> {
  await lab.of('Service').create({
    metadata: { name: 'one' },
    spec: { selector: { app: 'one' }, ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }] },
  });
  await lab.of('ReplicationController').create(controller(lab, 'one', 2));
  const both = () =>
    lab.eventually('both addresses are there', async () => {
      const { items: pods } = await lab.of('Pod').list();
      const wanted = pods.map(({ metadata }) => metadata.name ?? '').sort();
      const slices = (await lab.of('EndpointSlice').list({ labelSelector: 'kubernetes.io/service-name=one' })).items;
      const { items: endpoints } = await lab.of('Endpoints').list({ fieldSelector: 'metadata.name=one' });
      const inSlices = slices.flatMap((slice) => (slice.endpoints ?? []).map(({ targetRef }) => targetRef?.name ?? ''));
      const inEndpoints = (endpoints[0]?.subsets ?? []).flatMap(({ addresses = [] }) =>
        addresses.map(({ targetRef }) => targetRef?.name ?? ''),
      );
      return (
        wanted.length === 2 &&
        `${[...new Set(inSlices)].sort()}` === `${wanted}` &&
        `${inEndpoints.sort()}` === `${wanted}` &&
        slices
      );
    });
  const slices = await both();
  assert.equal(at(slices[0], 'ports.0.port'), 8080);
  if (!comesBack) return;
  for (const { metadata } of slices) await lab.of('EndpointSlice').delete(metadata.name ?? '');
  await lab.of('Endpoints').delete('one');
  await both();
}
