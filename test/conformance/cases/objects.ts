/** Further requirements about single kinds, beyond their verbs. */
import assert from 'node:assert/strict';
import { crud, deletedTogether, type KindPlan } from '../crud.ts';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

const TIME = '2026-01-02T03:04:05Z';
const CONTAINERS = { containers: [{ name: 'main', image: 'busybox:1.36' }] };

const EVENT: KindPlan = {
  kind: 'Event',
  body: (lab) => ({
    involvedObject: { namespace: lab.namespace, name: 'subject', kind: 'Pod', apiVersion: 'v1' },
    type: 'Normal',
    reason: 'Tried',
    message: 'by the suite',
    source: { component: 'conformance' },
    count: 1,
  }),
  patch: [{ message: 'patched by the suite' }, 'message', 'patched by the suite'],
};
const SERVICE: KindPlan = {
  kind: 'Service',
  body: { spec: { type: 'ClusterIP', ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }] } },
  patch: [{ spec: { sessionAffinity: 'ClientIP' } }, 'spec.sessionAffinity', 'ClientIP'],
  status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } },
};
const TEMPLATE = { template: { metadata: { labels: { a: 'b' } }, spec: CONTAINERS } };
const POD_TEMPLATE: KindPlan = {
  kind: 'PodTemplate',
  body: TEMPLATE,
};
const LIMITS = { spec: { limits: [{ type: 'Container', max: { cpu: '2' }, defaultRequest: { cpu: '100m' } }] } };
const HARD = { spec: { hard: { 'count/replicationcontrollers': '5' } } };
const SERVICE_ACCOUNT: KindPlan = {
  kind: 'ServiceAccount',
  body: {},
  patch: [{ automountServiceAccountToken: false }, 'automountServiceAccountToken', false],
};
const BUDGET: KindPlan = {
  kind: 'PodDisruptionBudget',
  body: { spec: { minAvailable: 1, selector: { matchLabels: { app: 'none-of-the-suite' } } } },
  patch: [{ spec: { minAvailable: 2 } }, 'spec.minAvailable', 2],
};

export const OBJECTS: readonly Requirement[] = [
  crud('[sig-instrumentation] Events should manage the lifecycle of an event', EVENT),
  deletedTogether('[sig-instrumentation] Events should delete a collection of events', EVENT),
  crud('[sig-network] Services should complete a service status lifecycle', {
    ...SERVICE,
    body: { spec: { type: 'LoadBalancer', ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }] } },
  }),
  deletedTogether('[sig-network] Services should delete a collection of services', SERVICE),
  requirement(
    '[sig-network] Services should find a service from listing all namespaces',
    'the list of all namespaces has the Service `kubernetes` of `default`',
    async (lab) => {
      const { items } = await lab.everywhere('Service').list();
      assert.ok(items.some(({ metadata }) => metadata.name === 'kubernetes' && metadata.namespace === 'default'));
    },
  ),
  crud('[sig-network] Endpoints should test the lifecycle of an Endpoint', {
    kind: 'Endpoints',
    body: { subsets: [{ addresses: [{ ip: '10.0.0.24' }], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }] },
    patch: [
      { subsets: [{ addresses: [{ ip: '10.0.0.25' }], ports: [{ name: 'http', port: 8080 }] }] },
      'subsets.0.ports.0.port',
      8080,
    ],
  }),
  deletedTogether('[sig-node] PodTemplates should delete a collection of pod templates', POD_TEMPLATE),
  requirement(
    '[sig-node] PodTemplates should replace a pod template',
    'a PodTemplate is replaced by another of its resourceVersion',
    async (lab) => {
      const templates = lab.of('PodTemplate');
      const made = await templates.create({ metadata: { name: 'one' }, ...TEMPLATE });
      const annotations = { updated: 'true' };
      const replaced = await templates.replace({ ...made, metadata: { ...made.metadata, annotations } });
      assert.deepEqual(replaced.metadata.annotations, annotations);
      assert.notEqual(replaced.metadata.resourceVersion, made.metadata.resourceVersion);
    },
  ),
  requirement(
    '[sig-node] Secrets should patch a secret',
    'a Secret is found by its label in all namespaces, its data are patched, and it is deleted by its label',
    async (lab) => {
      const secrets = lab.of('Secret');
      const labels = { suite: lab.id };
      await secrets.create({ metadata: { name: 'one', labels }, data: { key: base64('value') }, type: 'Opaque' });
      const labelSelector = `suite=${lab.id}`;
      assert.equal((await lab.everywhere('Secret').list({ labelSelector })).items.length, 1);
      const patch = { metadata: { labels: { patched: 'yes' } }, data: { key: base64('other') } };
      await secrets.patch('one', patch, 'strategic');
      const [found] = (await lab.everywhere('Secret').list({ labelSelector: `${labelSelector},patched=yes` })).items;
      assert.equal(found?.data?.['key'], base64('other'));
      await secrets.deleteAll(labelSelector);
      assert.deepEqual((await lab.everywhere('Secret').list({ labelSelector })).items, []);
    },
  ),
  requirement(
    '[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection',
    'LimitRanges are listed in one and in all namespaces, patched, and deleted as a collection in theirs alone',
    async (lab) => {
      const more = await lab.makeNamespace();
      const labels = { suite: lab.id };
      const query = { labelSelector: `suite=${lab.id}` };
      const [here, there] = [lab.of('LimitRange'), lab.of('LimitRange').in(more)];
      for (const place of [here, there]) await place.create({ metadata: { name: 'one', labels }, ...LIMITS });
      assert.equal((await here.list(query)).items.length, 1);
      assert.equal((await lab.everywhere('LimitRange').list(query)).items.length, 2);
      const patched = await here.patch('one', { spec: { limits: [{ type: 'Container', max: { cpu: '3' } }] } });
      assert.deepEqual(patched.spec?.limits[0]?.max, { cpu: '3' });
      await here.deleteAll(query.labelSelector);
      const left = await lab.everywhere('LimitRange').list(query);
      assert.deepEqual(
        left.items.map(({ metadata }) => metadata.namespace),
        [more],
      );
    },
  ),
  requirement(
    '[sig-api-machinery] ResourceQuota should apply changes to a resourcequota status',
    "a ResourceQuota's status is patched and replaced, and a watch sees it",
    (lab) => changesQuotaStatus(lab),
  ),
  crud('[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount', SERVICE_ACCOUNT),
  requirement(
    '[sig-auth] ServiceAccounts should update a ServiceAccount',
    'automountServiceAccountToken of a ServiceAccount is replaced',
    async (lab) => {
      const accounts = lab.of('ServiceAccount');
      await accounts.create({ metadata: { name: 'bot' }, automountServiceAccountToken: false });
      const updated = await accounts.change('bot', (account) => {
        account.automountServiceAccountToken = true;
      });
      assert.equal(updated.automountServiceAccountToken, true);
    },
  ),
  crud('[sig-apps] DisruptionController should create a PodDisruptionBudget', BUDGET),
  deletedTogether(
    '[sig-apps] DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets',
    BUDGET,
  ),
  crud('[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations', {
    kind: 'ServiceCIDR',
    body: (lab) => ({ spec: { cidrs: [`198.18.${Number.parseInt(lab.id.slice(0, 2), 16)}.0/24`] } }),
    status: { conditions: [{ type: 'Tried', status: 'True', reason: 'Case', message: 'm', lastTransitionTime: TIME }] },
  }),
];

async function changesQuotaStatus(lab: Lab): Promise<void> {
  const quotas = lab.of('ResourceQuota');
  using watch = await quotas.watch();
  await quotas.create({ metadata: { name: 'one' }, ...HARD });
  await watch.see('ADDED', 'one');
  const conditions = { metadata: { annotations: { patched: 'yes' } } };
  const patched = await quotas.patch('one', { ...conditions, status: { hard: { pods: '7' } } }, 'merge', 'status');
  assert.equal(patched.status?.hard?.['pods'], '7');
  await watch.until('the status', ({ object }) => object.status?.hard?.['pods'] === '7');
  const replaced = await quotas.change(
    'one',
    (quota) => {
      quota.metadata.annotations = { replaced: 'yes' };
      quota.status = { hard: { pods: '8' } };
    },
    'status',
  );
  assert.equal(replaced.status?.hard?.['pods'], '8');
  await watch.until('the status', ({ object }) => object.status?.hard?.['pods'] === '8');
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
