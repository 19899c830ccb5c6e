import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus, type KubeObject } from '@skerry/api';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { Client } from '../client/contract.ts';
import {
  CONFIG_MAPS,
  configMap,
  EVENTS,
  event,
  NODES,
  node,
  PODS,
  pod,
  refTo,
  SECRETS,
  secret,
} from './testing/objects.ts';
import { NODE, TwoShores } from './testing/two-shores.ts';

// Random lives of a cloud and an edge: writes on both shores, a link that is slow, cut and loses what is on its way,
// restarts of either side. Once all is quiet both shores must agree, and nothing an edge said may be missing or doubled.

const POD_NAMES = ['p0', 'p1', 'p2'];
const CONFIG_NAMES = ['c0', 'c1'];

type Step =
  | { readonly type: 'cloud-pod'; readonly name: string; readonly at: string | undefined; readonly config: string }
  | { readonly type: 'cloud-delete' | 'cloud-force-delete' | 'cloud-label' | 'cloud-status'; readonly name: string }
  | { readonly type: 'cloud-config' | 'cloud-config-delete' | 'cloud-secret'; readonly name: string }
  | { readonly type: 'edge-status' | 'edge-ended'; readonly name: string }
  | { readonly type: 'edge-event' | 'edge-label' | 'edge-node-status' }
  | { readonly type: 'connect' | 'disconnect' | 'restart-cloud' | 'restart-edge' }
  | { readonly type: 'turns'; readonly count: number };

const podName = fc.constantFrom(...POD_NAMES);
const configName = fc.constantFrom(...CONFIG_NAMES);
const kinds = <T extends string>(...types: readonly T[]) => fc.constantFrom(...types);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('cloud-pod' as const),
      name: podName,
      at: fc.constantFrom(NODE, NODE, NODE, 'edge-2', undefined),
      config: configName,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: kinds('cloud-delete', 'cloud-force-delete', 'cloud-label', 'cloud-status'),
      name: podName,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: kinds('cloud-config', 'cloud-config-delete', 'cloud-secret'), name: configName }),
  },
  { weight: 6, arbitrary: fc.record({ type: kinds('edge-status', 'edge-ended'), name: podName }) },
  { weight: 3, arbitrary: fc.record({ type: kinds('edge-event', 'edge-label', 'edge-node-status') }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: kinds('connect', 'connect', 'disconnect', 'restart-cloud', 'restart-edge') }),
  },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 12 }) }) },
);

test('after any life apart and together both shores agree, and what the edge said is in the cloud once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 50, size: 'max' }),
      fc.array(fc.nat(5), { minLength: 1, maxLength: 20, size: 'max' }),
      async (steps, delays) => {
        let next = 0;
        await using world = new TwoShores(() => delays[next++ % delays.length] ?? 0);
        const life = new Life(world);
        await life.begin();
        for (const one of steps) {
          await life.take(one);
          life.checkEdgeNow();
        }
        await life.check();
      },
    ),
    { numRuns: runs(60) },
  );
});

class Life {
  readonly #world: TwoShores;
  #count = 0;
  readonly #events: string[] = [];
  /** The last status the edge gave each pod, by uid; a status that the cloud gave it makes the outcome nobody's. */
  readonly #statuses = new Map<string, string | undefined>();
  #label: string | undefined;
  #nodeStatus: string | undefined;

  constructor(world: TwoShores) {
    this.#world = world;
  }

  async begin(): Promise<void> {
    await this.#cloud.create(NODES, node(NODE));
    for (const name of CONFIG_NAMES) await this.#cloud.create(CONFIG_MAPS, configMap(name, 'first'));
    for (const name of POD_NAMES) await this.#cloud.create(PODS, pod({ name, nodeName: NODE, configMap: 'c0' }));
    await this.#world.quiet();
  }

  async take(step: Step): Promise<void> {
    switch (step.type) {
      case 'turns':
        for (let turn = 0; turn < step.count; turn++) {
          await this.#world.turns(1);
          this.checkEdgeNow();
        }
        return;
      case 'connect':
        return this.#world.connect();
      case 'disconnect':
        return this.#world.disconnect();
      case 'restart-cloud':
        return this.#world.restartCloud();
      case 'restart-edge':
        return this.#world.restartEdge();
      case 'edge-event':
        return this.#edgeEvent();
      case 'edge-label':
        this.#label = this.#unique();
        return change(this.#edge, NODES, NODE, (found) => ({
          ...found,
          metadata: { ...found.metadata, labels: { ...found.metadata.labels, edge: this.#label ?? '' } },
        }));
      case 'edge-node-status':
        this.#nodeStatus = this.#unique();
        return setStatus(this.#edge, NODES, NODE, { phase: this.#nodeStatus });
      case 'edge-status':
        return this.#edgeStatus(step.name);
      case 'edge-ended':
        return this.#edgeEnded(step.name);
      default:
        return this.#cloudStep(step);
    }
  }

  async #cloudStep(step: Extract<Step, { type: `cloud-${string}` }>): Promise<void> {
    switch (step.type) {
      case 'cloud-pod': {
        const nodeName = step.at === undefined ? {} : { nodeName: step.at };
        const parts = { name: step.name, configMap: step.config, secret: step.config, ...nodeName };
        return allowing('AlreadyExists', this.#cloud.create(PODS, pod(parts)));
      }
      case 'cloud-delete':
        return allowing('NotFound', this.#cloud.delete(refTo(PODS, step.name), { gracePeriodSeconds: 30 }));
      case 'cloud-force-delete':
        return allowing('NotFound', this.#cloud.delete(refTo(PODS, step.name), { gracePeriodSeconds: 0 }));
      case 'cloud-label':
        return change(this.#cloud, PODS, step.name, (found) => ({
          ...found,
          metadata: { ...found.metadata, labels: { cloud: this.#unique() } },
        }));
      case 'cloud-status':
        return setStatus(this.#cloud, PODS, step.name, { message: this.#unique() }, (uid) =>
          this.#statuses.set(uid, undefined),
        );
      case 'cloud-config':
        return this.#put(CONFIG_MAPS, configMap(step.name, this.#unique()));
      case 'cloud-secret':
        return this.#put(SECRETS, secret(step.name, this.#unique()));
      case 'cloud-config-delete':
        return allowing('NotFound', this.#cloud.delete(refTo(CONFIG_MAPS, step.name)));
    }
  }

  async check(): Promise<void> {
    await this.#world.quiet();
    this.#checkReplica();
    this.#checkStatuses();
    const { items } = await this.#cloud.list(EVENTS, { namespace: 'default' });
    const names = items.map(({ metadata }) => metadata.name ?? '');
    assert.equal(names.length, this.#events.length);
    assert.deepEqual(new Set(names), new Set(this.#events));
    const { metadata, ...rest } = await this.#cloud.get<KubeObject>(refTo(NODES, NODE));
    assert.equal(metadata.labels?.['edge'], this.#label);
    assert.equal((rest['status'] as { phase?: string } | undefined)?.phase, this.#nodeStatus);
    assert.deepEqual(
      this.#world.dropped.filter(({ reason }) => !/not found/.test(reason)),
      [],
    );
  }

  /** What an edge has said of a pod it sees until the cloud says otherwise, whatever is on its way. */
  checkEdgeNow(): void {
    for (const { json } of this.#world.edge.replica.store.list('/pods/').items) {
      const { metadata, status } = JSON.parse(json) as KubeObject;
      const message = this.#statuses.get(metadata.uid ?? '');
      if (message !== undefined) assert.equal((status as { message?: string }).message, message);
    }
  }

  get #cloud(): Client {
    return this.#world.cloud.client;
  }

  get #edge(): Client {
    return this.#world.edge.client;
  }

  #unique(): string {
    return `u${this.#count++}`;
  }

  /** The edge holds exactly what concerns it, in the cloud's version, and beside it only what it made itself. */
  #checkReplica(): void {
    const { cloud, edge } = this.#world;
    const atEdge = new Map<string, unknown>();
    for (const { key, json } of edge.replica.store.list('').items) {
      if (!key.startsWith('/events/')) atEdge.set(key, comparable(json));
    }
    const expected = new Map<string, unknown>();
    for (const { key, json } of cloud.store.list('').items) {
      if (
        !key.startsWith('/events/') &&
        concernsByHand(
          cloud.store.list('/pods/').items.map(({ json }) => json),
          key,
        )
      ) {
        expected.set(key, comparable(json));
      }
    }
    assert.deepEqual(atEdge, expected);
    const versions = new Map(edge.replica.state.versions());
    for (const key of expected.keys()) assert.equal(versions.get(key), String(cloud.store.get(key)?.revision));
    assert.equal(versions.size, expected.size);
  }

  #checkStatuses(): void {
    for (const { json } of this.#world.cloud.store.list('/pods/').items) {
      const { metadata, status } = JSON.parse(json) as KubeObject;
      const uid = metadata.uid ?? '';
      const message = this.#statuses.get(uid);
      if (message === undefined && this.#statuses.has(uid)) continue;
      assert.equal((status as { message?: string } | undefined)?.message, message);
    }
  }

  async #put(gvr: typeof PODS, object: KubeObject): Promise<void> {
    const ref = refTo(gvr, object.metadata.name ?? '');
    await allowing('NotFound', this.#cloud.delete(ref));
    await this.#cloud.create(gvr, object);
  }

  async #edgeEvent(): Promise<void> {
    const name = this.#unique();
    await this.#edge.create(EVENTS, event(name));
    this.#events.push(name);
  }

  #edgeStatus(name: string): Promise<void> {
    const message = this.#unique();
    return setStatus(this.#edge, PODS, name, { phase: 'Running', message }, (uid) => {
      if (!this.#statuses.has(uid) || this.#statuses.get(uid) !== undefined) this.#statuses.set(uid, message);
    });
  }

  /** What a node does once the processes of a pod that is to go have ended. */
  async #edgeEnded(name: string): Promise<void> {
    const found = await getOrNothing(this.#edge, PODS, name);
    if (found?.metadata.deletionTimestamp === undefined) return;
    await this.#edge.delete(refTo(PODS, name), { gracePeriodSeconds: 0, uid: found.metadata.uid ?? '' });
  }
}

async function change(
  client: Client,
  gvr: typeof PODS,
  name: string,
  changed: (found: KubeObject) => KubeObject,
  subresource?: string,
): Promise<void> {
  const found = await getOrNothing(client, gvr, name);
  if (found === undefined) return;
  const options = subresource === undefined ? {} : { subresource };
  await allowing('Conflict', client.update(gvr, changed(found), options));
}

async function setStatus(
  client: Client,
  gvr: typeof PODS,
  name: string,
  status: object,
  onDone: (uid: string) => void = () => {},
): Promise<void> {
  for (;;) {
    const found = await getOrNothing(client, gvr, name);
    if (found === undefined) return;
    try {
      await client.update(gvr, { ...found, status }, { subresource: 'status' });
      onDone(found.metadata.uid ?? '');
      return;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return;
      if (!isStatus(error, 'Conflict')) throw error;
    }
  }
}

async function getOrNothing(client: Client, gvr: typeof PODS, name: string): Promise<KubeObject | undefined> {
  try {
    return await client.get<KubeObject>(refTo(gvr, name));
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function allowing(reason: 'AlreadyExists' | 'NotFound' | 'Conflict', call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isStatus(error, reason, 'NotFound')) throw error;
  }
}

function concernsByHand(pods: readonly string[], key: string): boolean {
  if (key === `/nodes//${NODE}`) return true;
  return pods.some((json) => {
    const { metadata, spec } = JSON.parse(json) as {
      metadata: { name: string };
      spec: { nodeName?: string; volumes: Volume[] };
    };
    if (spec.nodeName !== NODE) return false;
    const needs = spec.volumes.map((volume) =>
      volume.configMap === undefined
        ? `/secrets/default/${volume.secret?.secretName}`
        : `/configmaps/default/${volume.configMap.name}`,
    );
    return [`/pods/default/${metadata.name}`, ...needs].includes(key);
  });
}

interface Volume {
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
}

function comparable(json: string): unknown {
  const object = JSON.parse(json) as KubeObject;
  // Each shore seals in its own way.
  if (object.kind === 'Secret') delete object['data'];
  delete object.metadata.managedFields;
  return object;
}
