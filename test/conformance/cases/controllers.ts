/** What makes pods: ReplicaSets, ReplicationControllers, Deployments and StatefulSets, with nodes that run them. */
import assert from 'node:assert/strict';
import type { KubeObject } from '@skerry/api';
import type { Deployment, Pod } from '@skerry/api/types';
import type { Collection } from '../collection.ts';
import type { KindName } from '../kinds.ts';
import { at, type Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { controller, podSpec, replicated } from '../workloads.ts';

const CONDITION = { type: 'StatusPatched', status: 'True', reason: 'Case', message: 'by the suite' };
const STATEFUL = '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should';

export const CONTROLLERS: readonly Requirement[] = [
  scales('[sig-apps] Deployment Deployment should have a working scale subresource', 'Deployment'),
  scales('[sig-apps] ReplicaSet Replicaset should have a working scale subresource', 'ReplicaSet'),
  scales(
    '[sig-apps] ReplicationController should get and update a ReplicationController scale',
    'ReplicationController',
  ),
  scales(`${STATEFUL} have a working scale subresource`, 'StatefulSet'),
  hasStatus('[sig-apps] Deployment should validate Deployment Status endpoints', 'Deployment'),
  hasStatus('[sig-apps] ReplicaSet should validate Replicaset Status endpoints', 'ReplicaSet'),
  hasStatus(`${STATEFUL} validate Statefulset Status endpoints`, 'StatefulSet'),
  requirement(
    '[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods',
    'a ReplicaSet takes a pod that it selects for its own, and lets it go when its label changes',
    (lab) => adopts(lab, 'ReplicaSet', true),
  ),
  requirement(
    '[sig-apps] ReplicationController should adopt matching pods on creation',
    'a ReplicationController takes a pod that it selects for its own',
    (lab) => adopts(lab, 'ReplicationController', false),
  ),
  requirement(
    '[sig-apps] ReplicationController should release no longer matching pods',
    'a ReplicationController lets a pod go when its label changes, and makes another',
    (lab) => adopts(lab, 'ReplicationController', true),
  ),
  requirement(
    '[sig-apps] ReplicaSet Replace and Patch tests',
    'a ReplicaSet is scaled by replacing it, and gets another template by a patch',
    replacesAndPatches,
  ),
  requirement(
    '[sig-apps] ReplicaSet should list and delete a collection of ReplicaSets',
    'ReplicaSets are listed by label and deleted as a collection, with their pods',
    async (lab) => {
      const sets = lab.of('ReplicaSet');
      for (const name of ['one', 'two']) await sets.create(labelled(lab, replicated(lab, name, 1)));
      assert.equal((await sets.list({ labelSelector: `suite=${lab.id}` })).items.length, 2);
      await sets.deleteAll(`suite=${lab.id}`);
      await lab.eventually(
        'all are gone',
        async () => (await sets.list()).items.length + (await lab.of('Pod').list()).items.length === 0,
      );
    },
  ),
  requirement(
    '[sig-apps] ReplicationController should test the lifecycle of a ReplicationController',
    'a ReplicationController is made, patched, scaled, replaced and deleted as a collection, and a watch sees it',
    controllerLives,
  ),
  requirement(
    '[sig-apps] Deployment should run the lifecycle of a Deployment',
    'a Deployment is made, patched, replaced and deleted as a collection, and becomes available each time',
    deploymentLives,
  ),
  requirement(
    '[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones',
    'a Deployment takes over the pods of a ReplicaSet and replaces them by its own',
    rollsOver,
  ),
  requirement(
    '[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones',
    'with strategy Recreate no new pod is there while an old one still is',
    recreates,
  ),
  requirement(
    '[sig-apps] Deployment deployment should delete old replica sets',
    'a Deployment with revisionHistoryLimit 0 deletes the ReplicaSets of old revisions',
    async (lab) => {
      const deployments = lab.of('Deployment');
      await deployments.create(replicated(lab, 'one', 1, { revisionHistoryLimit: 0 }));
      await available(lab, 'one', 1);
      await deployments.patch('one', env('1'), 'strategic');
      await lab.eventually('only one ReplicaSet is left', async () => {
        const { items } = await lab.of('ReplicaSet').list();
        return items.length === 1 && JSON.stringify(items[0]?.spec?.template?.spec).includes('ROUND');
      });
    },
  ),
  requirement(
    '[sig-apps] Deployment deployment should support rollover',
    'a Deployment that is changed in the middle of a rollout goes on to the newest revision',
    async (lab) => {
      const deployments = lab.of('Deployment');
      await deployments.create(replicated(lab, 'one', 2, { minReadySeconds: 1 }));
      await available(lab, 'one', 2);
      for (const round of ['1', '2', '3']) await deployments.patch('one', env(round), 'strategic');
      const { spec } = await deployments.get('one');
      await available(lab, 'one', 2);
      const { items } = await lab.of('ReplicaSet').list();
      const serving = items.filter((each) => (each.spec?.replicas ?? 0) > 0);
      assert.deepEqual(
        serving.map((each) => at(each, 'spec.template.spec.containers.0.env')),
        [at(spec, 'template.spec.containers.0.env')],
      );
    },
  ),
  requirement(
    `${STATEFUL} list, patch and delete a collection of StatefulSets`,
    'a StatefulSet is found by its label in all namespaces, patched, and deleted as a collection',
    async (lab) => {
      const sets = lab.of('StatefulSet');
      await sets.create(labelled(lab, replicated(lab, 'one', 1, { serviceName: 'one' })));
      const query = { labelSelector: `suite=${lab.id}` };
      assert.equal((await lab.everywhere('StatefulSet').list(query)).items.length, 1);
      const patched = await sets.patch(
        'one',
        { metadata: { labels: { patched: 'yes' } }, spec: { replicas: 2 } },
        'strategic',
      );
      assert.deepEqual([patched.metadata.labels?.['patched'], patched.spec?.replicas], ['yes', 2]);
      await lab.eventually('both pods are ready', async () => (await sets.get('one')).status?.readyReplicas === 2);
      await sets.deleteAll(query.labelSelector);
      await lab.eventually('it is gone', async () => (await sets.list()).items.length === 0);
    },
  ),
  requirement(
    `${STATEFUL} perform canary updates and phased rolling updates of template modifications`,
    'pods below the partition keep the old template, and get the new one as the partition goes down',
    updatesInPhases,
  ),
];

type Makes = 'Deployment' | 'ReplicaSet' | 'ReplicationController' | 'StatefulSet';

function of(lab: Lab, kind: Makes): Collection {
  return lab.of(kind as KindName);
}

function manifest(lab: Lab, kind: Makes, name: string, replicas: number): object {
  if (kind === 'ReplicationController') return controller(lab, name, replicas);
  return replicated(lab, name, replicas, kind === 'StatefulSet' ? { serviceName: name } : {});
}

function labelled(lab: Lab, object: object): object {
  const { metadata } = object as KubeObject;
  return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, suite: lab.id } } };
}

function scales(name: string, kind: Makes): Requirement {
  return requirement(
    name,
    `the Scale of a ${kind} is read, replaced and patched, and changes its replicas`,
    async (lab) => {
      const objects = of(lab, kind);
      await objects.create(manifest(lab, kind, 'one', 1));
      const scale = await objects.get('one', 'scale');
      assert.deepEqual([scale.kind, at(scale, 'spec.replicas')], ['Scale', 1]);
      // Without a version it is meant whatever the controller has written meanwhile.
      const { resourceVersion: _, ...metadata } = scale.metadata;
      const updated = await objects.replace({ ...scale, metadata, spec: { replicas: 2 } }, 'scale');
      assert.equal(at(updated, 'spec.replicas'), 2);
      assert.equal(at(await objects.get('one'), 'spec.replicas'), 2);
      const patched = await objects.patch('one', { spec: { replicas: 3 } }, 'merge', 'scale');
      assert.equal(at(patched, 'spec.replicas'), 3);
      await lab.eventually('there are three pods', async () => (await lab.of('Pod').list()).items.length === 3);
    },
  );
}

function hasStatus(name: string, kind: Makes): Requirement {
  return requirement(
    name,
    `the status of a ${kind} is read, replaced and patched, and a watch sees it`,
    async (lab) => {
      const objects = of(lab, kind);
      await objects.create(manifest(lab, kind, 'one', 1));
      using watch = await objects.watch();
      await lab.eventually(
        'its pod is ready',
        async () => at(await objects.get('one', 'status'), 'status.readyReplicas') === 1,
      );
      const conditionsOf = (object: KubeObject) =>
        ((at(object, 'status.conditions') ?? []) as { type: string }[]).map(({ type }) => type);
      await objects.change(
        'one',
        (object) => {
          const status = object['status'] as { conditions?: object[] };
          status.conditions = [...(status.conditions ?? []), { ...CONDITION, type: 'StatusUpdate' }];
        },
        'status',
      );
      await watch.until('the update', ({ object }) => conditionsOf(object).includes('StatusUpdate'));
      const patched = await objects.patch('one', { status: { conditions: [CONDITION] } }, 'merge', 'status');
      assert.ok(conditionsOf(patched).includes('StatusPatched'));
      await watch.until('the patch', ({ object }) => conditionsOf(object).includes('StatusPatched'));
    },
  );
}

async function adopts(lab: Lab, kind: 'ReplicaSet' | 'ReplicationController', releases: boolean): Promise<void> {
  const pods = lab.of('Pod');
  await pods.create({ metadata: { name: 'orphan', labels: { app: 'one' } }, spec: podSpec(lab) });
  await of(lab, kind).create(manifest(lab, kind, 'one', 1));
  const ownersOf = async (name: string) =>
    (await pods.get(name)).metadata.ownerReferences?.map((owner) => owner.name) ?? [];
  await lab.eventually('the pod is adopted', async () => (await ownersOf('orphan')).includes('one'));
  assert.equal((await pods.list()).items.length, 1);
  if (!releases) return;
  await pods.patch('orphan', { metadata: { labels: { app: 'other' } } });
  await lab.eventually('the pod is released', async () => (await ownersOf('orphan')).length === 0);
  await lab.eventually(
    'another one is made',
    async () => (await pods.list({ labelSelector: 'app=one' })).items.length === 1,
  );
}

async function replacesAndPatches(lab: Lab): Promise<void> {
  const sets = lab.of('ReplicaSet');
  const ready = (count: number) =>
    lab.eventually(`${count} are ready`, async () => (await sets.get('one')).status?.readyReplicas === count);
  await sets.create(replicated(lab, 'one', 1));
  await ready(1);
  await sets.change('one', (set) => {
    if (set.spec !== undefined) set.spec.replicas = 2;
  });
  await ready(2);
  const patched = await sets.patch(
    'one',
    {
      metadata: { labels: { patched: 'yes' } },
      spec: { replicas: 3, template: { spec: { terminationGracePeriodSeconds: 2 } } },
    },
    'strategic',
  );
  assert.equal(patched.spec?.template?.spec?.terminationGracePeriodSeconds, 2);
  await ready(3);
}

async function controllerLives(lab: Lab): Promise<void> {
  const objects = lab.of('ReplicationController');
  using watch = await objects.watch();
  await objects.create(labelled(lab, controller(lab, 'one', 1)));
  await watch.see('ADDED', 'one');
  await watch.until('a ready pod', ({ object }) => object.status?.readyReplicas === 1);
  await objects.patch('one', { metadata: { labels: { patched: 'yes' } } }, 'strategic');
  await watch.until('the patch', ({ object }) => object.metadata.labels?.['patched'] === 'yes');
  await objects.patch('one', { status: { readyReplicas: 0, availableReplicas: 0 } }, 'merge', 'status');
  await watch.until('the status', ({ object }) => (object.status?.readyReplicas ?? 0) === 0);
  await objects.patch('one', { spec: { replicas: 2 } }, 'merge', 'scale');
  await watch.until('two ready pods', ({ object }) => object.status?.readyReplicas === 2);
  await objects.change('one', ({ metadata }) => {
    metadata.annotations = { replaced: 'yes' };
  });
  assert.equal(
    (await lab.everywhere('ReplicationController').list({ labelSelector: `suite=${lab.id}` })).items.length,
    1,
  );
  await objects.deleteAll(`suite=${lab.id}`);
  await watch.see('DELETED', 'one');
}

function env(round: string): object {
  return { spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'ROUND', value: round }] }] } } } };
}

function available(lab: Lab, name: string, count: number): Promise<Deployment> {
  return lab.eventually(`${count} of ${name} are available`, async () => {
    const deployment = await lab.of('Deployment').get(name);
    const { status = {}, metadata } = deployment;
    const isWhole = status.updatedReplicas === count && status.replicas === count && status.availableReplicas === count;
    return isWhole && (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) && deployment;
  });
}

async function deploymentLives(lab: Lab): Promise<void> {
  const deployments = lab.of('Deployment');
  using watch = await deployments.watch();
  await deployments.create(labelled(lab, replicated(lab, 'one', 1)));
  await watch.see('ADDED', 'one');
  await available(lab, 'one', 1);
  await deployments.patch('one', { metadata: { labels: { patched: 'yes' } }, spec: { replicas: 2 } }, 'strategic');
  await watch.until('the patch', ({ object }) => object.metadata.labels?.['patched'] === 'yes');
  await available(lab, 'one', 2);
  const replaced = await deployments.change('one', (deployment) => {
    deployment.metadata.annotations = { ...deployment.metadata.annotations, replaced: 'yes' };
    if (deployment.spec !== undefined) deployment.spec.replicas = 1;
  });
  assert.equal(replaced.metadata.annotations?.['replaced'], 'yes');
  const whole = await available(lab, 'one', 1);
  assert.equal(whole.status?.conditions?.find(({ type }) => type === 'Available')?.status, 'True');
  assert.equal((await lab.everywhere('Deployment').list({ labelSelector: `suite=${lab.id}` })).items.length, 1);
  await deployments.deleteAll(`suite=${lab.id}`);
  await watch.see('DELETED', 'one');
}

async function rollsOver(lab: Lab): Promise<void> {
  const old = (await lab.of('ReplicaSet').create(replicated(lab, 'one', 1))).metadata.uid;
  await lab.eventually(
    'its pod is ready',
    async () => (await lab.of('ReplicaSet').get('one')).status?.readyReplicas === 1,
  );
  await lab.of('Deployment').create({ ...replicated(lab, 'one', 1), ...withEnv(lab) });
  await available(lab, 'one', 1);
  const { items } = await lab.of('ReplicaSet').list();
  assert.equal(items.length, 2);
  for (const { metadata, spec } of items) {
    assert.deepEqual(
      metadata.ownerReferences?.map(({ kind, name }) => [kind, name]),
      [['Deployment', 'one']],
    );
    assert.equal(spec?.replicas, metadata.uid === old ? 0 : 1);
  }
}

/** The spec with another template than `replicated` makes. */
function withEnv(lab: Lab): object {
  const labels = { app: 'one' };
  const spec = podSpec(lab);
  const containers = spec.containers.map((each) => ({ ...each, env: [{ name: 'ROUND', value: '1' }] }));
  return {
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...spec, containers } },
    },
  };
}

async function recreates(lab: Lab): Promise<void> {
  await lab.of('Deployment').create(replicated(lab, 'one', 1, { strategy: { type: 'Recreate' } }));
  await available(lab, 'one', 1);
  using watch = await lab.of('Pod').watch();
  const [old] = (await lab.of('Pod').list()).items;
  await lab.of('Deployment').patch('one', env('1'), 'strategic');
  await available(lab, 'one', 1);
  await watch.see('DELETED', old?.metadata.name ?? '');
  const isNew = (pod: Pod) => pod.metadata.uid !== old?.metadata.uid;
  const [gone, made] = [
    watch.events.findIndex(({ type, object }) => type === 'DELETED' && !isNew(object)),
    watch.events.findIndex(({ type, object }) => type === 'ADDED' && isNew(object)),
  ];
  assert.ok(made === -1 || gone < made, 'the new pod came after the old one was gone');
}

async function updatesInPhases(lab: Lab): Promise<void> {
  const sets = lab.of('StatefulSet');
  const names = ['one-0', 'one-1', 'one-2'];
  const partition = (count: number) => ({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: count } },
  });
  await sets.create(replicated(lab, 'one', 3, { serviceName: 'one', ...partition(3) }));
  await lab.eventually('all are ready', async () => (await sets.get('one')).status?.readyReplicas === 3);
  await sets.patch('one', env('1'), 'strategic');
  const revisionsAre = (updated: readonly string[]) =>
    lab.eventually(`${updated.join()} are updated`, async () => {
      const { status } = await sets.get('one');
      if (status?.currentRevision === undefined || status.updateRevision === undefined) return false;
      const { items } = await lab.of('Pod').list();
      const isSo = items.filter(
        ({ metadata }) => metadata.labels?.['controller-revision-hash'] === status.updateRevision,
      );
      return (
        items.length === 3 &&
        isSo
          .map(({ metadata }) => metadata.name ?? '')
          .sort()
          .join() === updated.join() &&
        status.readyReplicas === 3
      );
    });
  const { status } = await lab.eventually('it is seen', async () => {
    const set = await sets.get('one');
    return set.status?.observedGeneration === set.metadata.generation && set;
  });
  assert.notEqual(status?.currentRevision, status?.updateRevision);
  await revisionsAre([]);
  await sets.patch('one', { spec: partition(2) });
  await revisionsAre(names.slice(2));
  // One that is deleted comes back with the template of its own side of the partition.
  await lab.of('Pod').delete('one-0');
  await lab.eventually('it is another one', () => isBack(lab));
  await revisionsAre(names.slice(2));
  await sets.patch('one', { spec: partition(0) });
  await lab.eventually('all are updated', async () => {
    const set = await sets.get('one');
    return set.status?.currentRevision === set.status?.updateRevision && set.status?.readyReplicas === 3;
  });
}

async function isBack(lab: Lab): Promise<boolean> {
  const { items } = await lab.of('Pod').list({ fieldSelector: 'metadata.name=one-0' });
  return items.length === 1 && items[0]?.metadata.deletionTimestamp === undefined;
}
