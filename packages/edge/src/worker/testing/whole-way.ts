/** For tests: a node's data worker and a cloud's time series in one process, with the link between them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Gvr, KubeObject } from '@skerry/api';
import { silentLogger, systemClock } from '@skerry/base';
import { createInProcessClient } from '@skerry/kube/client';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { Loopback } from '@skerry/link/testing';
import { RULES, type Rule, STREAMS_API_VERSION, streamCrds } from '@skerry/streams';
import { createTelemetry, type Telemetry } from '@skerry/streams/cloud';
import { createBus, LastValues, type SeriesTable } from '@skerry/streams/contract';
import { type NodeDevice, type NodeValues, type Streams, startStreams } from '@skerry/streams/edge';
import { openSeriesStore, type SeriesStore } from '@skerry/streams/store';
import { roadHeader } from '@skerry/streams/supervision';

const NODE = 'edge-1';
export const NAMESPACE = 'factory';
const USER = { username: 'system:test', groups: ['system:masters'] };
const DEFINITIONS: Gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const NAMESPACES: Gvr = { group: '', version: 'v1', resource: 'namespaces' };

export interface RoadCounts {
  readonly taken: number;
  readonly delivered: number;
  readonly dropped: Readonly<Record<string, number>>;
}

export interface WholeWay extends AsyncDisposable {
  readonly values: NodeValues;
  areRulesRunning(): Promise<boolean>;
  /** As the route's queue on disk counts. */
  road(route: string): RoadCounts;
  /** The node ends its work; what it has recorded is given to `look`. */
  atNode<T>(look: (store: SeriesStore) => Promise<T>): Promise<T>;
  inCloud<T>(look: (store: SeriesStore) => Promise<T>): Promise<T>;
}

/** Objects by kind, as they are at the node: each is placed there. */
export type Objects = readonly { readonly kind: string; readonly name: string; readonly spec: object }[];

export async function wholeWay(
  objects: Objects,
  devices: readonly NodeDevice[],
  series: SeriesTable,
): Promise<WholeWay> {
  const home = mkdtempSync(join(tmpdir(), 'skerry-whole-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(home, { recursive: true }));
  const folder = join(home, 'streams');
  const [clock, log] = [systemClock, silentLogger];
  const client = stack.use(await openApi(join(home, 'api.db'), objects)).client;
  const telemetry = stack.adopt(createTelemetry({ directory: join(home, 'cloud'), clock, log }), (each) =>
    each.close(),
  );
  const edge = await connect(stack, telemetry);
  const values: NodeValues = {
    bus: createBus(),
    series,
    last: new LastValues(),
    devices: () => devices,
    onDevices: () => () => {},
    write: async () => ({}),
  };
  const toCloud = (signal: AbortSignal) => edge.link.openStream(roadHeader(), signal);
  const options = { node: NODE, client, clock, log, random: Math.random, folder, values, toCloud };
  const streams: Streams = startStreams(options);
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= streams.stop());
  stack.defer(stop);
  const rest = stack.move();
  return {
    values,
    areRulesRunning: async () => {
      const { items } = await client.list<Rule>(RULES);
      return items.every(({ status }) => status?.onNodes?.[NODE]?.state === 'Running');
    },
    road: (route) => {
      using queues = new DatabaseSync(join(folder, 'road.db'), { readOnly: true });
      const row = queues.prepare('SELECT counts FROM queue WHERE name = ?').get(`${NAMESPACE}/${route}`);
      return JSON.parse(String(row?.['counts'] ?? '{}')) as RoadCounts;
    },
    atNode: async (look) => {
      await stop();
      await using store = await openSeriesStore({ directory: join(folder, 'series'), clock, log });
      return await look(store);
    },
    inCloud: async (look) => look(await telemetry.store()),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

async function openApi(file: string, objects: Objects) {
  const [clock, log] = [systemClock, silentLogger];
  const store = openStore({ file, clock, log });
  const server = createApiServer({ store, clock, log, authorizer: { authorize: () => ({ allowed: true }) } });
  const client = createInProcessClient({ handle: (request) => server.handle(request), user: USER });
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  for (const definition of streamCrds()) await client.create(DEFINITIONS, definition);
  for (const { kind, name, spec } of objects) {
    const [group = '', version = ''] = STREAMS_API_VERSION.split('/');
    const gvr = { group, version, resource: `${kind.toLowerCase()}s` };
    const metadata = { name, namespace: NAMESPACE };
    const placed = { placement: { nodeName: NODE }, ...spec };
    await client.create(gvr, { apiVersion: STREAMS_API_VERSION, kind, metadata, spec: placed } as KubeObject);
    const status = { nodes: [NODE] };
    await client.patch({ gvr, namespace: NAMESPACE, name }, { status }, { type: 'merge', subresource: 'status' });
  }
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await store.close();
    },
  };
}

async function connect(stack: AsyncDisposableStack, telemetry: Telemetry) {
  const cloud = stack.use(
    await new Loopback({
      hub: { streamHandler: (node, _header, stream, signal) => telemetry.serve(node, stream, signal) },
    }).start(),
  );
  const edge = cloud.edge(NODE);
  edge.link.start();
  await edge.until(({ connected }) => connected);
  return edge;
}
