/** ResourceQuotas: what they count, what they refuse, and how soon they show it. */
import assert from 'node:assert/strict';
import type { ResourceQuota, ResourceQuotaSpec } from '@skerry/api/types';
import { absent, type Lab, refused } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { controller, podSpec, replicated } from '../workloads.ts';

type Amounts = Readonly<Record<string, string>>;

const NAME = 'quota';
const REQUESTS = { cpu: '500m', memory: '252Mi', 'ephemeral-storage': '30Gi' };
const DONGLES = 'example.com/dongle';

export const QUOTAS: readonly Requirement[] = [
  requirement(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated.',
    'a ResourceQuota shows soon what it allows and that nothing is taken',
    async (lab) => {
      const { status } = await allow(
        lab,
        { hard: { pods: '5', services: '10', secrets: '10' } },
        { pods: '0', services: '0' },
      );
      assert.equal(status?.hard?.['pods'], '5');
    },
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota.',
    'what a ResourceQuota allows is changed, and the ResourceQuota goes',
    changesAndGoes,
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should manage the lifecycle of a ResourceQuota',
    'a ResourceQuota is listed by its label in all namespaces, patched, and deleted as a collection',
    livesAndDies,
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a configMap.',
    'a ConfigMap takes of a quota until it is gone',
    (lab) => capturesOne(lab, { of: 'ConfigMap', counted: 'configmaps', object: { data: { a: 'b' } } }),
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a secret.',
    'a Secret takes of a quota until it is gone',
    (lab) => capturesOne(lab, { of: 'Secret', counted: 'secrets', object: { stringData: { a: 'b' } } }),
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replication controller.',
    'a ReplicationController takes of a quota until it is gone',
    (lab) =>
      capturesOne(lab, {
        of: 'ReplicationController',
        counted: 'replicationcontrollers',
        object: controller(lab, 'counted', 0),
      }),
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replica set.',
    'a ReplicaSet takes of a quota by the count of its kind until it is gone',
    (lab) =>
      capturesOne(lab, { of: 'ReplicaSet', counted: 'count/replicasets.apps', object: replicated(lab, 'counted', 0) }),
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a service.',
    'Services take of a quota, those with node ports and load balancers of these too',
    capturesServices,
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod.',
    'pods take what they request, extended resources included, and what exceeds the quota is refused',
    capturesPods,
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should verify ResourceQuota with terminating scopes.',
    'quotas of terminating and of other pods count their own alone',
    (lab) =>
      separates(lab, ['Terminating', 'NotTerminating'], {
        first: { activeDeadlineSeconds: 3600 },
        second: {},
        hard: { pods: '5', 'requests.cpu': '1', 'requests.memory': '500Mi' },
        requests: REQUESTS,
      }),
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should verify ResourceQuota with best effort scope.',
    'quotas of pods with best effort and of others count their own alone',
    (lab) =>
      separates(lab, ['BestEffort', 'NotBestEffort'], {
        first: {},
        second: {},
        hard: { pods: '5' },
        requests: undefined,
      }),
  ),
];

export const QUOTAS_WITH_NODES: readonly Requirement[] = [
  requirement(
    '[sig-apps] ReplicationController should surface a failure condition on a common issue like exceeded quota',
    'a ReplicationController says that its pods do not fit into a quota, and no more once they do',
    showsFailure,
  ),
];

/** Makes a quota and waits until it shows what is taken. */
async function allow(lab: Lab, spec: ResourceQuotaSpec, used: Amounts, name = NAME): Promise<ResourceQuota> {
  await lab.of('ResourceQuota').create({ metadata: { name }, spec });
  return shows(lab, used, name);
}

function shows(lab: Lab, used: Amounts, name = NAME): Promise<ResourceQuota> {
  return lab.eventually(`${name} shows ${JSON.stringify(used)}`, async () => {
    const quota = await lab.of('ResourceQuota').get(name);
    const taken = quota.status?.used ?? {};
    return Object.entries(used).every(([resource, amount]) => taken[resource] === amount) && quota;
  });
}

async function changesAndGoes(lab: Lab): Promise<void> {
  const quotas = lab.of('ResourceQuota');
  await allow(lab, { hard: { cpu: '1', memory: '500Mi' } }, { cpu: '0', memory: '0' });
  const changed = await quotas.change(NAME, (quota) => {
    quota.spec = { hard: { cpu: '2', memory: '1Gi' } };
  });
  assert.deepEqual(changed.spec?.hard, { cpu: '2', memory: '1Gi' });
  assert.deepEqual((await quotas.get(NAME)).spec?.hard, { cpu: '2', memory: '1Gi' });
  await lab.eventually(
    'the new amounts are allowed',
    async () => (await quotas.get(NAME)).status?.hard?.['cpu'] === '2',
  );
  await quotas.delete(NAME);
  await absent(quotas.get(NAME));
}

async function livesAndDies(lab: Lab): Promise<void> {
  const quotas = lab.of('ResourceQuota');
  const labelSelector = `conformance=${lab.id}`;
  await quotas.create({ metadata: { name: NAME, labels: { conformance: lab.id } }, spec: { hard: { cpu: '500m' } } });
  assert.deepEqual((await quotas.get(NAME)).spec?.hard, { cpu: '500m' });
  const found = await lab.everywhere('ResourceQuota').list({ labelSelector });
  assert.deepEqual(
    found.items.map(({ metadata }) => metadata.name),
    [NAME],
  );
  const patch = { metadata: { labels: { patched: 'yes' } }, spec: { hard: { memory: '750Mi' } } };
  const patched = await quotas.patch(NAME, patch, 'strategic');
  assert.deepEqual(patched.spec?.hard, { cpu: '500m', memory: '750Mi' });
  assert.equal(patched.metadata.labels?.['patched'], 'yes');
  await quotas.deleteAll(labelSelector);
  await lab.eventually(
    'no quota is left',
    async () => (await lab.everywhere('ResourceQuota').list({ labelSelector })).items.length === 0,
  );
}

interface Counted {
  readonly of: 'ConfigMap' | 'Secret' | 'ReplicationController' | 'ReplicaSet';
  readonly counted: string;
  readonly object: object;
}

async function capturesOne(lab: Lab, { of, counted, object }: Counted): Promise<void> {
  const before = await steadyCount(lab, of);
  await allow(lab, { hard: { [counted]: String(before + 1) } }, { [counted]: String(before) });
  const objects = lab.of(of);
  await objects.create({ metadata: { name: 'counted' }, ...object });
  await shows(lab, { [counted]: String(before + 1) });
  const more = { ...object, metadata: { name: 'too-many' } };
  await refused(objects.create(more), {
    code: 403,
    reason: 'Forbidden',
    message: /exceeded quota: quota, requested: /,
  });
  await objects.delete('counted');
  await shows(lab, { [counted]: String(before) });
}

/** What controllers put into a new namespace is waited for: two looks find the same, something or nothing. */
async function steadyCount(lab: Lab, of: Counted['of']): Promise<number> {
  if (of === 'ConfigMap')
    await lab.eventually('the root certificate', async () => (await lab.of(of).list()).items.length > 0);
  return (await lab.of(of).list()).items.length;
}

async function capturesServices(lab: Lab): Promise<void> {
  const [services, ports, balancers] = ['services', 'services.nodeports', 'services.loadbalancers'];
  const used = (...amounts: number[]): Amounts =>
    Object.fromEntries([services, ports, balancers].map((name, index) => [name, String(amounts[index])]));
  const service = (name: string, type: string) => ({ metadata: { name }, spec: { type, ports: [{ port: 80 }] } });
  await allow(
    lab,
    { hard: { services: '10', 'services.nodeports': '1', 'services.loadbalancers': '1' } },
    used(0, 0, 0),
  );
  await lab.of('Service').create(service('plain', 'ClusterIP'));
  await lab.of('Service').create(service('node-port', 'NodePort'));
  await refused(lab.of('Service').create(service('balanced', 'LoadBalancer')), {
    code: 403,
    message: /exceeded quota/,
  });
  await shows(lab, used(2, 1, 0));
  for (const name of ['plain', 'node-port']) await lab.of('Service').delete(name);
  await shows(lab, used(0, 0, 0));
}

async function capturesPods(lab: Lab): Promise<void> {
  const hard = { pods: '5', cpu: '1', memory: '500Mi', 'ephemeral-storage': '50Gi', [`requests.${DONGLES}`]: '3' };
  const nothing = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']));
  await allow(lab, { hard }, nothing);
  const pods = lab.of('Pod');
  const dongles = { [DONGLES]: '2' };
  await pods.create(pod(lab, 'fits', { requests: { ...REQUESTS, ...dongles }, limits: dongles }));
  const taken = { pods: '1', ...REQUESTS, [`requests.${DONGLES}`]: '2' };
  await shows(lab, taken);
  const exceeds = { code: 403, reason: 'Forbidden', message: /exceeded quota: quota/ };
  await refused(pods.create(pod(lab, 'too-large', { requests: { cpu: '600m', memory: '100Mi' } })), exceeds);
  const many = { requests: { cpu: '100m', memory: '100Mi', ...dongles }, limits: dongles };
  await refused(pods.create(pod(lab, 'too-many-dongles', many)), exceeds);
  await refused(pods.create(pod(lab, 'says-nothing', {})), {
    code: 403,
    message: /must specify cpu for: main; memory for: main/,
  });
  await pods.patch('fits', { metadata: { labels: { a: 'b' } } });
  await shows(lab, taken);
  await pods.delete('fits', { gracePeriodSeconds: 0 });
  await shows(lab, nothing);
}

function pod(lab: Lab, name: string, resources: object, more: object = {}): object {
  const { containers, ...spec } = podSpec(lab);
  const bounded = containers.map((container) => ({ ...container, resources }));
  return { metadata: { name }, spec: { ...spec, ...more, containers: bounded } };
}

interface Separation {
  readonly first: object;
  readonly second: object;
  readonly hard: Amounts;
  /** Of both pods; absent: the first has none, and is so told from the second. */
  readonly requests: Amounts | undefined;
}

async function separates(
  lab: Lab,
  [one, other]: readonly ['Terminating', 'NotTerminating'] | readonly ['BestEffort', 'NotBestEffort'],
  { first, second, hard, requests }: Separation,
): Promise<void> {
  const both = [one.toLowerCase(), other.toLowerCase()] as const;
  const none = { pods: '0' };
  for (const scope of [one, other]) await allow(lab, { hard, scopes: [scope] }, none, scope.toLowerCase());
  const plans = [
    [first, requests, both],
    [second, requests ?? REQUESTS, [both[1], both[0]]],
  ] as const;
  for (const [spec, asked, [its, notIts]] of plans) {
    await lab.of('Pod').create(pod(lab, its, asked === undefined ? {} : { requests: asked, limits: asked }, spec));
    await shows(lab, { pods: '1' }, its);
    await shows(lab, none, notIts);
    await lab.of('Pod').delete(its, { gracePeriodSeconds: 0 });
    await shows(lab, none, its);
  }
}

async function showsFailure(lab: Lab): Promise<void> {
  await allow(lab, { hard: { pods: '2' } }, { pods: '0' });
  const controllers = lab.of('ReplicationController');
  await controllers.create(controller(lab, 'crowded', 3));
  const failure = async () => {
    const { metadata, status } = await controllers.get('crowded');
    assert.ok((status?.observedGeneration ?? 0) <= (metadata.generation ?? 0));
    return status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  };
  const { message } = await lab.eventually('a failure is shown', failure);
  assert.match(message ?? '', /exceeded quota: quota/);
  await controllers.change('crowded', (one) => {
    one.spec = { ...one.spec, replicas: 2 };
  });
  await lab.eventually('no failure is shown', async () => (await failure()) === undefined);
}
