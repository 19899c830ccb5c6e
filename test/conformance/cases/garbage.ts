/** What goes with its owner, what stays, and in which order. */
import assert from 'node:assert/strict';
import type { KubeObject, OwnerReference } from '@skerry/api';
import type { Pod } from '@skerry/api/types';
import type { Collection } from '../collection.ts';
import { absent, type Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { controller, podSpec, replicated } from '../workloads.ts';

const REPLICAS = 4;
const HOLD = 'example.com/held-by-the-suite';

export const GARBAGE: readonly Requirement[] = [
  requirement(
    '[sig-api-machinery] Garbage collector should delete RS created by deployment when not orphaning',
    'a deleted Deployment takes its ReplicaSet and its pods along',
    async (lab) => {
      await deployed(lab);
      await lab.of('Deployment').delete('deployment', { propagationPolicy: 'Background' });
      await empties(lab, lab.of('ReplicaSet'));
      await empties(lab, lab.of('Pod'));
    },
  ),
  requirement(
    '[sig-api-machinery] Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan',
    'a Deployment that is deleted with Orphan leaves its ReplicaSet, without an owner',
    async (lab) => {
      await deployed(lab);
      await lab.of('Deployment').delete('deployment', { propagationPolicy: 'Orphan' });
      await isGone(lab, lab.of('Deployment'), 'deployment');
      const { items } = await lab.of('ReplicaSet').list();
      assert.deepEqual(
        items.map(({ metadata }) => metadata.ownerReferences ?? []),
        [[]],
      );
    },
  ),
  requirement(
    '[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning',
    'a deleted ReplicationController takes its pods along',
    async (lab) => {
      await controlled(lab, 'rc');
      await lab.of('ReplicationController').delete('rc', { propagationPolicy: 'Background' });
      await isGone(lab, lab.of('ReplicationController'), 'rc');
      await empties(lab, lab.of('Pod'));
    },
  ),
  requirement(
    '[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so [Serial]',
    'a ReplicationController that is deleted with Orphan leaves its pods, without an owner',
    async (lab) => {
      await controlled(lab, 'rc');
      await lab.of('ReplicationController').delete('rc', { propagationPolicy: 'Orphan' });
      await isGone(lab, lab.of('ReplicationController'), 'rc');
      const { items } = await lab.of('Pod').list();
      assert.equal(items.length, REPLICAS);
      for (const { metadata } of items)
        assert.deepEqual([metadata.ownerReferences ?? [], metadata.deletionTimestamp], [[], undefined]);
    },
  ),
  requirement(
    '[sig-api-machinery] Garbage collector should keep the rc around until all its pods are deleted if the deleteOptions says so [Serial]',
    'a ReplicationController that is deleted in the foreground stays until its last pod is gone',
    keepsOwner,
  ),
  requirement(
    "[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's waiting for dependents to be deleted [Serial]",
    'a pod with another owner outlives an owner that is deleted in the foreground',
    sparesTheShared,
  ),
  requirement(
    '[sig-api-machinery] Garbage collector should not be blocked by dependency circle',
    'pods that own each other in a circle all go when one is deleted in the foreground',
    breaksCircle,
  ),
];

async function deployed(lab: Lab): Promise<void> {
  await lab.of('Deployment').create(replicated(lab, 'deployment', 2));
  await lab.eventually('its ReplicaSet has its pods', async () => {
    const pods = await lab.of('Pod').list();
    return (await lab.of('ReplicaSet').list()).items.length === 1 && pods.items.length === 2;
  });
}

/** The pods of a new ReplicationController. */
async function controlled(lab: Lab, name: string): Promise<readonly Pod[]> {
  await lab.of('ReplicationController').create(controller(lab, name, REPLICAS));
  return lab.eventually('it has its pods', async () => {
    const { items } = await lab.of('Pod').list({ labelSelector: `app=${name}` });
    return items.length === REPLICAS && items;
  });
}

async function keepsOwner(lab: Lab): Promise<void> {
  const [held] = await controlled(lab, 'rc');
  const name = held?.metadata.name ?? '';
  await lab.of('Pod').patch(name, { metadata: { finalizers: [HOLD] } });
  await lab.of('ReplicationController').delete('rc', { propagationPolicy: 'Foreground' });
  await lab.eventually('the other pods are gone', async () => (await lab.of('Pod').list()).items.length === 1);
  const { metadata } = await lab.of('ReplicationController').get('rc');
  assert.ok(metadata.deletionTimestamp);
  assert.deepEqual(metadata.finalizers, ['foregroundDeletion']);
  await lab.of('Pod').patch(name, { metadata: { finalizers: null } });
  await isGone(lab, lab.of('ReplicationController'), 'rc');
}

async function sparesTheShared(lab: Lab): Promise<void> {
  const controllers = lab.of('ReplicationController');
  const pods = await controlled(lab, 'leaving');
  // It selects none of them: being an owner is enough.
  const staying = await controllers.create(controller(lab, 'staying', 0));
  const shared = pods.slice(0, 2).map(({ metadata }) => metadata.name ?? '');
  for (const name of shared) {
    await lab.of('Pod').change(name, ({ metadata }) => {
      metadata.ownerReferences = [...(metadata.ownerReferences ?? []), ownedBy(staying)];
    });
  }
  await controllers.delete('leaving', { propagationPolicy: 'Foreground' });
  await isGone(lab, controllers, 'leaving');
  const { items } = await lab.of('Pod').list();
  assert.deepEqual(items.map(({ metadata }) => metadata.name ?? '').sort(), shared.sort());
  for (const { metadata } of items) {
    assert.equal(metadata.deletionTimestamp, undefined);
    assert.deepEqual(
      metadata.ownerReferences?.map(({ name }) => name),
      ['staying'],
    );
  }
}

async function breaksCircle(lab: Lab): Promise<void> {
  const pods = lab.of('Pod');
  const names = ['one', 'two', 'three'];
  const made: Pod[] = [];
  for (const name of names) made.push(await pods.create({ metadata: { name }, spec: podSpec(lab) }));
  for (const [index, name] of names.entries()) {
    const owner = made[(index + 2) % names.length];
    await pods.change(name, ({ metadata }) => {
      metadata.ownerReferences = owner === undefined ? [] : [{ ...ownedBy(owner), blockOwnerDeletion: true }];
    });
  }
  await pods.delete('one', { propagationPolicy: 'Foreground' });
  await empties(lab, pods);
}

function ownedBy({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  return { apiVersion, kind, name: metadata.name ?? '', uid: metadata.uid ?? '' };
}

function isGone(lab: Lab, objects: Pick<Collection, 'place' | 'get' | 'list'>, name: string): Promise<unknown> {
  return lab.eventually(`${name} is gone`, async () => (await absent(objects.get(name))).code === 404);
}

function empties(lab: Lab, objects: Pick<Collection, 'place' | 'get' | 'list'>): Promise<unknown> {
  return lab.eventually(`no ${objects.place.resource} are left`, async () => (await objects.list()).items.length === 0);
}
