/** RuntimeClasses and volumes: what is refused, and what finds its match. */
import assert from 'node:assert/strict';
import { absent, at, type Lab, refused } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { podSpec } from '../workloads.ts';

export const RUNTIME_CLASSES: readonly Requirement[] = [
  requirement(
    '[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [NodeConformance]',
    'a pod of a RuntimeClass that is not there is refused',
    (lab) => isRefused(lab, `none-${lab.id}`),
  ),
  requirement(
    '[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass [NodeConformance]',
    'a pod of a RuntimeClass that was deleted is refused',
    async (lab) => {
      const name = `deleted-${lab.id}`;
      await lab.of('RuntimeClass').create({ metadata: { name }, handler: 'of-the-suite' });
      await lab.of('RuntimeClass').delete(name);
      await absent(lab.of('RuntimeClass').get(name));
      await lab.eventually('pods are refused', async () => {
        await isRefused(lab, name);
        return true;
      });
    },
  ),
];

async function isRefused(lab: Lab, runtimeClassName: string): Promise<void> {
  const pod = { metadata: { generateName: 'pod-' }, spec: { ...podSpec(lab), runtimeClassName } };
  await refused(lab.of('Pod').create(pod), { code: 403, reason: 'Forbidden', message: /RuntimeClass.*not found/ });
}

export const VOLUMES: readonly Requirement[] = [
  requirement(
    '[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC',
    'a PersistentVolume and the claim of its class bind, are patched and replaced, and are deleted alone and as collections',
    livesThrough,
  ),
  requirement(
    '[sig-storage] PersistentVolumes CSI Conformance should apply changes to a pv/pvc status',
    'the status of a PersistentVolume and of a claim is read, patched and replaced',
    changesStatus,
  ),
];

async function volume(lab: Lab, storageClassName: string): Promise<void> {
  const labels = { suite: lab.id };
  const accessModes = ['ReadWriteOnce'];
  const [capacity, resources] = [{ storage: '2Gi' }, { requests: { storage: '1Gi' } }];
  const local = { path: '/tmp', type: '' };
  await lab.of('PersistentVolume').create({
    metadata: { name: `pv-${lab.id}`, labels },
    spec: { capacity, accessModes, storageClassName, hostPath: local, persistentVolumeReclaimPolicy: 'Retain' },
  });
  await lab.of('PersistentVolumeClaim').create({
    metadata: { name: 'claim', labels },
    spec: { accessModes, storageClassName, resources },
  });
}

async function livesThrough(lab: Lab): Promise<void> {
  const [volumes, claims] = [lab.of('PersistentVolume'), lab.of('PersistentVolumeClaim')];
  const name = `pv-${lab.id}`;
  await volume(lab, `class-${lab.id}`);
  for (const [objects, each] of [
    [volumes, name],
    [claims, 'claim'],
  ] as const) {
    await lab.eventually(`${each} is bound`, async () => at(await objects.get(each), 'status.phase') === 'Bound');
    await objects.patch(each, { metadata: { labels: { patched: 'yes' } } });
    const replaced = await objects.change(each, ({ metadata }) => {
      metadata.labels = { ...metadata.labels, replaced: 'yes' };
    });
    assert.equal(replaced.metadata.labels?.['patched'], 'yes');
    assert.equal((await objects.list({ labelSelector: `suite=${lab.id},replaced=yes` })).items.length, 1);
  }
  assert.equal(at(await claims.get('claim'), 'spec.volumeName'), name);
  await claims.delete('claim');
  await lab.eventually('the claim is gone', async () => (await absent(claims.get('claim'))).code === 404);
  await volumes.deleteAll(`suite=${lab.id}`);
  await lab.eventually('the volume is gone', async () => (await absent(volumes.get(name))).code === 404);
}

async function changesStatus(lab: Lab): Promise<void> {
  await volume(lab, `class-${lab.id}`);
  const condition = { type: 'Tried', status: 'True', reason: 'Case', message: 'by the suite' };
  const claims = lab.of('PersistentVolumeClaim');
  await lab.eventually('they are bound', async () => at(await claims.get('claim'), 'status.phase') === 'Bound');
  const patched = await claims.patch('claim', { status: { conditions: [condition] } }, 'merge', 'status');
  assert.equal(at(patched, 'status.conditions.0.type'), 'Tried');
  const replaced = await claims.change(
    'claim',
    (claim) =>
      Object.assign(claim, {
        status: { ...(claim['status'] as object), conditions: [{ ...condition, type: 'Again' }] },
      }),
    'status',
  );
  assert.equal(at(replaced, 'status.conditions.0.type'), 'Again');
  const volumes = lab.of('PersistentVolume');
  const told = await volumes.patch(
    `pv-${lab.id}`,
    { status: { message: 'patched', reason: 'Case' } },
    'merge',
    'status',
  );
  assert.deepEqual([at(told, 'status.message'), at(told, 'status.reason')], ['patched', 'Case']);
  const again = await volumes.change(
    `pv-${lab.id}`,
    (pv) => Object.assign(pv, { status: { ...(pv['status'] as object), message: 'replaced' } }),
    'status',
  );
  assert.equal(at(again, 'status.message'), 'replaced');
}
