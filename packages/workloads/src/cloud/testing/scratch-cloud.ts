/** For tests: a real API server on a file of its own, a clock that stands still, and controllers run against it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Gvr, KubeObject, Ref } from '@skerry/api';
import { builtinRows } from '@skerry/api/facts';
import type { Node, Pod, PodSpec, PodTemplateSpec } from '@skerry/api/types';
import { type Logger, silentLogger } from '@skerry/base';
import { type Client, createInProcessClient } from '@skerry/kube/client';
import { type ControllerSpec, runController } from '@skerry/kube/controller';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { type CloudContext, cloudContext } from '../context.ts';
import { NAMESPACES, NODES, PODS } from '../resources.ts';
import { formatTime } from '../timestamps.ts';
import { refOf } from '../writes.ts';

export interface ScratchCloud extends AsyncDisposable {
  readonly client: Client;
  readonly clock: FakeClock;
  readonly context: CloudContext;
  /** Runs controllers until the cloud is disposed. */
  readonly run: (...specs: readonly ControllerSpec[]) => void;
  /** Lets work go on, without moving time, until `probe` gives something or the patience ends. */
  readonly until: <T>(what: string, probe: () => Promise<T | undefined | false>) => Promise<T>;
  /** Everything has calmed down: no write for a while. */
  readonly calm: () => Promise<void>;
  readonly list: <T extends KubeObject>(gvr: Gvr, namespace?: string) => Promise<T[]>;
  readonly find: <T extends KubeObject>(ref: Ref) => Promise<T | undefined>;
  readonly addNode: (name: string, more?: Partial<Node['metadata']>, spec?: Node['spec']) => Promise<Node>;
  /** Says what a kubelet would: the pod runs and is ready, or is not. */
  readonly setReady: (pod: Pod, ready?: boolean) => Promise<Pod>;
  readonly bind: (pod: Pod, node: string) => Promise<void>;
  /** `reason: message` of each event of the object of that name. */
  readonly events: (name: string) => Promise<string[]>;
}

const USER = { username: 'system:test', groups: ['system:masters'] };
const EVENTS: Gvr = { group: '', version: 'v1', resource: 'events' };

/** How many turns `until` waits; a turn is a few rounds of the event loop. */
const PATIENCE = 400;

/** A calm cloud writes nothing for this many turns. */
const CALM_TURNS = 6;

export async function scratchCloud({ log = silentLogger }: { log?: Logger } = {}): Promise<ScratchCloud> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-cloud-'));
  const clock = fakeClock();
  const store = openStore({ file: join(folder, 'cloud.db'), clock, log });
  const server = createApiServer({ store, clock, log, authorizer: { authorize: () => ({ allowed: true }) } });
  const client = createInProcessClient({ handle: (request) => server.handle(request), user: USER });
  const controller = new AbortController();
  const context = cloudContext({ client, clock, log, signal: controller.signal, rows: builtinRows() });
  const running: Promise<void>[] = [];
  await createNamespace(client, 'shop');

  const until = async <T>(what: string, probe: () => Promise<T | undefined | false>): Promise<T> => {
    for (let turn = 0; turn < PATIENCE; turn++) {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
      await clock.settle();
    }
    throw new Error(`waited in vain for ${what}`);
  };

  return {
    client,
    clock,
    context,
    run: (...specs) => {
      for (const spec of specs) running.push(runController(spec, context));
    },
    until,
    calm: async () => {
      let revision = -1;
      for (let quiet = 0; quiet < CALM_TURNS; ) {
        quiet = store.revision === revision ? quiet + 1 : 0;
        revision = store.revision;
        await clock.settle();
      }
    },
    list: async <T extends KubeObject>(gvr: Gvr, namespace?: string) =>
      (await client.list<T>(gvr, namespace === undefined ? {} : { namespace })).items,
    find: <T extends KubeObject>(ref: Ref) => client.get<T>(ref).catch(() => undefined),
    addNode: (name, more = {}, spec = {}) =>
      client.create<Node>(NODES, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, ...more },
        spec,
        status: { conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }] },
      }),
    setReady: (pod, ready = true) => setReady(client, clock, pod, ready),
    bind: async (pod, node) => {
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: {}, target: { kind: 'Node', name: node } };
      await client.createSubresource(refOf(PODS, pod), 'binding', binding);
    },
    events: async (name) => {
      const { items } = await client.list<KubeObject & { reason: string; message: string }>(EVENTS);
      return items
        .filter(({ involvedObject }) => (involvedObject as { name?: string }).name === name)
        .map(({ reason, message }) => `${reason}: ${message}`);
    },
    [Symbol.asyncDispose]: async () => {
      controller.abort();
      await Promise.all(running);
      await clock.settle();
      server.close();
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function createNamespace(client: Client, name: string): Promise<void> {
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

function setReady(client: Client, clock: FakeClock, pod: Pod, ready: boolean): Promise<Pod> {
  const { namespace = '', name = '' } = pod.metadata;
  const at = formatTime(clock.now());
  const condition = { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: at };
  const status = { phase: 'Running', podIP: '10.0.0.1', conditions: [condition] };
  return client.patch<Pod>({ gvr: PODS, namespace, name }, { status }, { type: 'merge', subresource: 'status' });
}

/** A pod template with one container. */
export function template(labels: Record<string, string>, image = 'host', spec: Partial<PodSpec> = {}): PodTemplateSpec {
  return { metadata: { labels }, spec: { containers: [{ name: 'main', image }], ...spec } };
}
