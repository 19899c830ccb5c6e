/** Namespaces: what can be changed of them, and what goes with them. */
import assert from 'node:assert/strict';
import { absent, type Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

const FINALIZER = 'example.com/held-by-the-suite';
const CONDITION = {
  type: 'StatusPatched',
  status: 'True',
  reason: 'Case',
  message: 'by the suite',
  lastTransitionTime: '2026-01-02T03:04:05Z',
};

export const NAMESPACES: readonly Requirement[] = [
  requirement(
    '[sig-api-machinery] Namespaces [Serial] should patch a Namespace',
    'a label is patched into a Namespace',
    async (lab) => {
      await lab.of('Namespace').patch(lab.namespace, { metadata: { labels: { patched: 'yes' } } }, 'strategic');
      const { metadata } = await lab.of('Namespace').get(lab.namespace);
      assert.equal(metadata.labels?.['patched'], 'yes');
      assert.equal(metadata.labels?.['kubernetes.io/metadata.name'], lab.namespace);
    },
  ),
  requirement(
    '[sig-api-machinery] Namespaces [Serial] should apply an update to a Namespace',
    'a Namespace is replaced with one label more',
    async (lab) => {
      const updated = await lab.of('Namespace').change(lab.namespace, ({ metadata }) => {
        metadata.labels = { ...metadata.labels, updated: 'yes' };
      });
      assert.equal(updated.metadata.labels?.['updated'], 'yes');
    },
  ),
  requirement(
    '[sig-api-machinery] Namespaces [Serial] should apply changes to a namespace status',
    "conditions of a Namespace's status are patched and replaced",
    changesStatus,
  ),
  requirement(
    '[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace',
    'finalizers of a Namespace change through /finalize alone, and hold it',
    finalizes,
  ),
  requirement(
    '[sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a namespace is deleted',
    'Services go with their Namespace, and one of the same name begins empty',
    removesServices,
  ),
];

async function changesStatus(lab: Lab): Promise<void> {
  const namespaces = lab.of('Namespace');
  const { status } = await namespaces.get(lab.namespace, 'status');
  assert.equal(status?.phase, 'Active');
  const patch = { metadata: { annotations: { patched: 'yes' } }, status: { conditions: [CONDITION] } };
  const patched = await namespaces.patch(lab.namespace, patch, 'merge', 'status');
  assert.equal(patched.status?.conditions?.[0]?.type, 'StatusPatched');
  assert.equal(patched.metadata.annotations?.['patched'], 'yes');
  const updated = await namespaces.change(
    lab.namespace,
    (namespace) => {
      namespace.status = { ...namespace.status, conditions: [{ ...CONDITION, type: 'StatusUpdate' }] };
    },
    'status',
  );
  assert.equal(updated.status?.conditions?.[0]?.type, 'StatusUpdate');
}

async function finalizes(lab: Lab): Promise<void> {
  const namespaces = lab.of('Namespace');
  const name = await lab.makeNamespace();
  const add = await namespaces.get(name);
  const held = await namespaces.replace({ ...add, spec: { finalizers: ['kubernetes', FINALIZER] } }, 'finalize');
  assert.deepEqual(held.spec?.finalizers, ['kubernetes', FINALIZER]);
  const again = await namespaces.change(name, (namespace) => {
    namespace.spec = { finalizers: [] };
  });
  assert.deepEqual(again.spec?.finalizers, ['kubernetes', FINALIZER], 'an ordinary update leaves them');
  await namespaces.delete(name);
  await lab.eventually('the controller has done its part', async () => {
    const { spec, status } = await namespaces.get(name);
    return status?.phase === 'Terminating' && spec?.finalizers?.join() === FINALIZER;
  });
  const free = await namespaces.get(name);
  await namespaces.replace({ ...free, spec: { finalizers: [] } }, 'finalize');
  await lab.eventually('it is gone', async () => (await absent(namespaces.get(name))).code === 404);
}

async function removesServices(lab: Lab): Promise<void> {
  const namespaces = lab.of('Namespace');
  const name = await lab.makeNamespace();
  const services = lab.of('Service').in(name);
  await services.create({ metadata: { name: 'one' }, spec: { ports: [{ port: 80 }] } });
  await namespaces.delete(name);
  await lab.eventually('it is gone', async () => (await absent(namespaces.get(name))).code === 404);
  await lab.makeNamespace(name);
  assert.deepEqual((await services.list()).items, []);
}
