/** What must be true of a mended world, whatever was done to it before. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isStatus, type KubeObject } from '@skerry/api';
import type { Deployment, Pod } from '@skerry/api/types';
import { eventually } from '@skerry/testkit/processes';
import { census, type Footprint, footprint } from './census.ts';
import {
  CONFIG_MAPS,
  clientFor,
  DEPLOYMENTS,
  NAMESPACE,
  NODES,
  PODS,
  type Site,
  supervisorOf,
  type Wanted,
  type World,
} from './world.ts';

const SETTLE_MS = 120_000;
const CURRENT_MS = 15_000;

type Found = Pod & KubeObject;

export async function checkWorld(world: World): Promise<void> {
  await bookUnsure(world);
  await eventually('every deployment has its pods', () => hasItsPods(world), { timeoutMs: SETTLE_MS, everyMs: 500 });
  await eventually('exactly the pods run', () => runsExactly(world), { timeoutMs: CURRENT_MS, everyMs: 500 });
  await checkConfigs(world);
  for (const site of world.sites) {
    await eventually(`${site.name} shows what the cloud shows`, () => isLevel(world, site), {
      timeoutMs: CURRENT_MS,
      everyMs: 500,
    });
  }
  await checkNodes(world);
  await checkLogs(world);
}

/** A write without an answer has happened or not; what is there now is what counts from here on. */
async function bookUnsure(world: World): Promise<void> {
  const client = await world.client();
  for (const name of world.unsure) {
    if (!world.deployments.has(name)) continue;
    try {
      const found = await client.get<Deployment & KubeObject>({ gvr: DEPLOYMENTS, namespace: NAMESPACE, name });
      world.deployments.set(name, wantedOf(found));
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
      world.deployments.set(name, undefined);
    }
  }
}

function wantedOf({ spec, metadata }: Deployment & KubeObject): Wanted | undefined {
  if (metadata.deletionTimestamp !== undefined) return undefined;
  const env = spec?.template?.spec?.containers?.[0]?.env ?? [];
  return {
    replicas: spec?.replicas ?? 1,
    generation: Number(env.find(({ name }) => name === 'GENERATION')?.value),
  };
}

async function hasItsPods(world: World): Promise<true> {
  const client = await world.client();
  const found = (await client.list<Deployment & KubeObject>(DEPLOYMENTS, { namespace: NAMESPACE })).items;
  const wanted = new Map([...world.deployments].filter(([, each]) => each !== undefined));
  assert.deepEqual(new Set(found.map(({ metadata }) => metadata.name)), new Set(wanted.keys()));
  for (const each of found) assert.deepEqual(wantedOf(each), wanted.get(each.metadata.name ?? ''), each.metadata.name);
  const pods = await world.pods();
  for (const [name, each] of wanted) checkPods(name, each?.replicas ?? 0, each?.generation ?? 0, pods);
  for (const { metadata, status } of found) {
    const replicas = wanted.get(metadata.name ?? '')?.replicas ?? 0;
    assert.equal(status?.readyReplicas ?? 0, replicas, `${metadata.name} reports its ready replicas`);
    assert.equal(status?.updatedReplicas ?? 0, replicas, `${metadata.name} reports its updated replicas`);
    assert.equal(status?.replicas ?? 0, replicas, `${metadata.name} reports its replicas`);
  }
  const known = new Set(wanted.keys());
  const others = pods.filter(({ metadata }) => !known.has(metadata.labels?.['app'] ?? ''));
  assert.deepEqual(
    others.map(({ metadata }) => metadata.name),
    [],
    'no pod is left of a deleted deployment',
  );
  return true;
}

function checkPods(name: string, replicas: number, generation: number, pods: readonly Pod[]): void {
  const own = pods.filter(({ metadata }) => metadata.labels?.['app'] === name);
  const seen = own.map(({ metadata, status, spec }) => ({
    pod: metadata.name,
    isReady: status?.conditions?.find(({ type }) => type === 'Ready')?.status,
    phase: status?.phase,
    isEnding: metadata.deletionTimestamp !== undefined,
    restarts: status?.containerStatuses?.[0]?.restartCount,
    generation: spec?.containers[0]?.env?.find(({ name: variable }) => variable === 'GENERATION')?.value,
  }));
  const expected = own.map(({ metadata }) => ({
    pod: metadata.name,
    isReady: 'True',
    phase: 'Running',
    isEnding: false,
    restarts: 0,
    generation: String(generation),
  }));
  assert.deepEqual(seen, expected);
  assert.equal(own.length, replicas, `${name} has ${replicas} pods`);
}

/** One first process for each pod, and nothing of any other pod. */
async function runsExactly(world: World): Promise<true> {
  const uids = (await world.pods()).map(({ metadata }) => metadata.uid ?? '').sort();
  const marked = census(world.run);
  const strays = marked.filter(({ podUid }) => !uids.includes(podUid));
  assert.deepEqual(strays, [], 'no process runs that no pod accounts for');
  const mains = marked.filter(({ isMain }) => isMain).map(({ podUid }) => podUid);
  assert.deepEqual(mains.sort(), uids, 'each pod runs once');
  return true;
}

async function checkConfigs(world: World): Promise<void> {
  const client = await world.client();
  const settings = await client.get({ gvr: CONFIG_MAPS, namespace: NAMESPACE, name: 'settings' });
  const { value } = settings['data'] as { readonly value: string };
  if (!world.unsure.has('settings')) assert.equal(value, world.configs.get('settings'), 'the last word on settings');
  for (const { metadata } of await world.pods()) {
    const name = metadata.name ?? '';
    await eventually(`${name} sees its settings`, async () => {
      assert.equal(await world.cloud.kubectl(['exec', name, '--', 'cat', '/settings/value']), value);
      return true;
    });
  }
}

/** Both shores show the same pods, and the edge no others. */
async function isLevel(world: World, { name, edge }: Site): Promise<true> {
  const client = await world.client();
  using local = await clientFor(edge.kubeconfig);
  const here = await local.list<Found>(PODS);
  const there = await client.list<Found>(PODS, { fieldSelector: `spec.nodeName=${name}` });
  assert.deepEqual(here.items.map(facts).sort(byName), there.items.map(facts).sort(byName));
  const nodes = [await local.get({ gvr: NODES, name }), await client.get({ gvr: NODES, name })];
  assert.deepEqual(nodes[0] && facts(nodes[0]), nodes[1] && facts(nodes[1]));
  return true;
}

function byName(a: KubeObject, b: KubeObject): number {
  return (a.metadata.name ?? '').localeCompare(b.metadata.name ?? '');
}

/** Versions are each API's own, and so is who wrote what when. */
function facts(object: KubeObject): KubeObject {
  const { resourceVersion: _version, managedFields: _fields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

async function checkNodes(world: World): Promise<void> {
  const client = await world.client();
  for (const { name } of world.sites) {
    await eventually(`${name} is ready and nothing keeps pods away`, async () => {
      const node = await client.get<KubeObject & { spec?: object; status?: { conditions?: Condition[] } }>({
        gvr: NODES,
        name,
      });
      assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
      assert.deepEqual((node.spec as { taints?: object[] } | undefined)?.taints ?? [], []);
      return true;
    });
  }
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

async function checkLogs(world: World): Promise<void> {
  for (const { metadata } of await world.pods()) {
    const lines = (await world.cloud.kubectl(['logs', metadata.name ?? ''])).trimEnd().split('\n');
    const numbers = lines.map((line) => Number(line.replace('line ', '')));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
      `the log of ${metadata.name} has every line once`,
    );
  }
}

/** Ends the world: an agent and a cloud share their files with nobody. */
export async function checkDatabases(world: World): Promise<void> {
  for (const { edge } of world.sites) await edge.process.stop();
  await world.cloud.process.stop();
  const files = world.sites.map(({ name, edge }) => join(edge.dir, 'edge', name, 'replica.db'));
  for (const file of [join(world.cloud.dir, 'cloud', 'store.db'), ...files]) {
    const database = new DatabaseSync(file, { readOnly: true });
    const { integrity_check: verdict } = database.prepare('PRAGMA integrity_check').get() as Record<string, string>;
    assert.equal(verdict, 'ok', file);
    database.close();
  }
}

/** What must not have been touched by any outage: uid, container and count of restarts. */
export function identityOf({ metadata, status }: Pod): object {
  const [main] = status?.containerStatuses ?? [];
  return { name: metadata.name, uid: metadata.uid, container: main?.containerID, restarts: main?.restartCount };
}

export function footprints(world: World): ReadonlyMap<string, Footprint> {
  const pids = new Map([[`cloud ${world.cloud.process.pid}`, world.cloud.process.pid]]);
  for (const site of world.sites) {
    pids.set(`agent ${site.name}`, site.edge.process.pid);
    const supervisor = supervisorOf(site);
    if (supervisor !== undefined) pids.set(`supervisor ${site.name}`, supervisor);
  }
  return new Map([...pids].map(([who, pid]) => [who, footprint(pid)]));
}
