/** For tests: rules at a node against a real API server, on a clock that stands still. */
import { existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Gvr, KubeObject } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { type Client, createInProcessClient } from '@skerry/kube/client';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { BatchBuilder, createBus, LastValues, SeriesTable } from '../../contract/index.ts';
import { ROUTES } from '../../kinds/group.ts';
import { RULES, STREAMS, STREAMS_API_VERSION, streamCrds, TABLES } from '../../kinds/index.ts';
import type { RouteSpec } from '../../kinds/route.ts';
import type { Rule, RuleNodeStatus, RuleSpec } from '../../kinds/rule.ts';
import type { StreamSpec } from '../../kinds/stream.ts';
import type { TableSpec } from '../../kinds/table.ts';
import type { DeviceWrite, NodeDevice, NodeValues } from '../node-values.ts';
import { type Streams, startStreams } from '../start-streams.ts';

export interface ScratchStreams extends AsyncDisposable {
  readonly client: Client;
  readonly clock: FakeClock;
  /** Sets the clock ahead, or back where it is negative, while no time passes. */
  setClock(byMs: number): void;
  readonly values: NodeValues;
  /** Where files of streams are. */
  readonly files: string;
  readonly writes: readonly DeviceWrite[];
  /** Whoever asks for what ends so in a path waits for a second. */
  readonly slow: Set<string>;
  stream(name: string, spec: StreamSpec): Promise<void>;
  table(name: string, spec: TableSpec): Promise<void>;
  rule(name: string, spec: RuleSpec): Promise<void>;
  route(name: string, spec: RouteSpec): Promise<void>;
  /** Rows of the route that are on the node's disk; NaN while there are no queues. */
  queuedRows(route: string): number;
  patchRule(name: string, spec: object): Promise<void>;
  remove(name: string): Promise<void>;
  /** What the node says of the rule. */
  status(name: string): Promise<RuleNodeStatus | undefined>;
  /** What the property of something on the bus is now. */
  last(object: string, property: string): unknown;
  device(device: NodeDevice): void;
  publish(device: string, time: number, values: Readonly<Record<string, number>>): void;
  /** Ends it, and starts it anew with what it has on disk. */
  restart(meanwhile?: () => Promise<unknown>): Promise<void>;
  until<T>(what: string, probe: () => Promise<T | undefined | false> | T | undefined | false): Promise<T>;
}

const NODE = 'edge-1';
const NAMESPACE = 'default';
const DEFINITIONS: Gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const NAMESPACES: Gvr = { group: '', version: 'v1', resource: 'namespaces' };
const USER = { username: 'system:test', groups: ['system:masters'] };
const STEP_MS = 50;
const SLOW_MS = 1000;
/** Of real time: files and sockets take it, whatever the clock of the test says. */
const PATIENCE_MS = 60_000;

export async function scratchStreams(): Promise<ScratchStreams> {
  const home = await mkdtemp(join(tmpdir(), 'skerry-streams-'));
  const folder = join(home, 'streams');
  const files = join(folder, 'files');
  mkdirSync(files, { recursive: true });
  const fake = fakeClock();
  let set = 0;
  const clock: FakeClock = { ...fake, now: () => fake.now() + set };
  const log = silentLogger;
  const store = openStore({ file: join(home, 'api.db'), clock, log });
  const server = createApiServer({ store, clock, log, authorizer: { authorize: () => ({ allowed: true }) } });
  const slow = new Set<string>();
  const handle: typeof server.handle = async (request) => {
    if ([...slow].some((end) => request.path.endsWith(end))) await clock.sleep(SLOW_MS);
    return server.handle(request);
  };
  const client = createInProcessClient({ handle, user: USER });
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  for (const definition of streamCrds()) await client.create(DEFINITIONS, definition);
  const writes: DeviceWrite[] = [];
  const devices: NodeDevice[] = [];
  const handlers = new Set<() => void>();
  const values: NodeValues = {
    bus: createBus(),
    series: new SeriesTable(),
    last: new LastValues(),
    devices: () => devices,
    onDevices: (handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    write: async (write) => {
      writes.push(write);
      return {};
    },
  };
  const keeping = values.bus.subscribe({ name: 'last' });
  const start = (): Streams =>
    startStreams({
      node: NODE,
      client,
      clock,
      log,
      random: () => 0.5,
      folder,
      values,
      toCloud: () => Promise.reject(new Error('there is no cloud')),
    });
  let streams = start();
  const stop = async () => {
    const stopping = streams.stop();
    await clock.settle();
    await stopping;
  };
  const create = async (gvr: Gvr, kind: string, name: string, spec: object) => {
    const placed = { placement: { nodeName: NODE }, ...spec };
    const metadata = { name, namespace: NAMESPACE };
    await client.create(gvr, { apiVersion: STREAMS_API_VERSION, kind, metadata, spec: placed } as KubeObject);
    const status = { nodes: [NODE] };
    await client.patch({ gvr, namespace: NAMESPACE, name }, { status }, { type: 'merge', subresource: 'status' });
  };
  const ref = (name: string) => ({ gvr: RULES, namespace: NAMESPACE, name });
  const idOf = (object: string, property: string) => values.series.find({ namespace: NAMESPACE, object, property });
  return {
    client,
    clock,
    setClock: (byMs) => {
      set += byMs;
    },
    values,
    files,
    writes,
    slow,
    stream: (name, spec) => create(STREAMS, 'Stream', name, spec),
    table: (name, spec) => create(TABLES, 'Table', name, spec),
    rule: (name, spec) => create(RULES, 'Rule', name, spec),
    route: (name, spec) => create(ROUTES, 'Route', name, spec),
    queuedRows: (route) => {
      if (!existsSync(join(folder, 'road.db'))) return Number.NaN;
      using queues = new DatabaseSync(join(folder, 'road.db'), { readOnly: true });
      const sum = queues.prepare(
        'SELECT sum(rows) AS rows FROM block JOIN queue ON queue.id = block.queue WHERE queue.name = ?',
      );
      return Number(sum.get(`${NAMESPACE}/${route}`)?.['rows'] ?? 0);
    },
    patchRule: async (name, spec) => {
      await client.patch(ref(name), { spec }, { type: 'merge' });
    },
    remove: async (name) => {
      await client.delete(ref(name));
    },
    status: async (name) => (await client.get<Rule>(ref(name))).status?.onNodes?.[NODE],
    last: (object, property) => {
      for (let batch = keeping.take(); batch !== undefined; batch = keeping.take()) values.last.apply(batch);
      const id = idOf(object, property);
      return id === undefined ? undefined : values.last.get(id)?.value;
    },
    device: (device) => {
      devices.push(device);
      for (const handler of handlers) handler();
    },
    publish: (device, time, fields) => {
      const builder = new BatchBuilder();
      for (const [property, value] of Object.entries(fields))
        builder.add(idOf(device, property) ?? 0, time, value, 192);
      const batch = builder.take();
      if (batch !== undefined) values.bus.publish(batch);
    },
    restart: async (meanwhile) => {
      await stop();
      await meanwhile?.();
      streams = start();
    },
    until: async (what, probe) => {
      for (const began = performance.now(); performance.now() - began < PATIENCE_MS; ) {
        const found = await probe();
        if (found !== undefined && found !== false) return found;
        await clock.advance(STEP_MS);
      }
      throw new Error(`waited in vain for ${what}`);
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      server.close();
      await store.close();
      await rm(home, { recursive: true });
    },
  };
}
