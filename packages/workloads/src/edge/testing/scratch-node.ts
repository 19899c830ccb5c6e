/** A node for tests: a real API in this process, a real supervisor beside it, real processes below that. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KubeObject } from '@skerry/api';
import { newUid, silentLogger, systemClock } from '@skerry/base';
import { type Client, createInProcessClient, createRecorder } from '@skerry/kube/client';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { eventually } from '@skerry/testkit/processes';
import { createRegistrySource, type ImageSource, openImageStore } from '../../images/index.ts';
import { killHolders } from '../../supervisor/holders.ts';
import { isAlive, sendSignal } from '../../supervisor/identity.ts';
import type { ProcessIdentity, ProcessRecord } from '../../supervisor/protocol.ts';
import { type CriRuntime, createCriRuntime } from '../cri/index.ts';
import { createEvictionManager } from '../eviction/manager.ts';
import type { EvictionSettings } from '../eviction/thresholds.ts';
import { createPodController, type PodController } from '../pod/controller.ts';
import type { Container, Pod, PodSpec } from '../pod/types.ts';
import { createProcessRuntime, findTools, type ProcessRuntime } from '../process/runtime.ts';
import { createRuntimeSet, type RuntimeSet } from '../runtime-set.ts';
import { createStaticPods } from '../static-pods/static-pods.ts';
import { ensureSupervisor } from '../supervisor-client.ts';

export const NODE = 'edge-1';
export const hasBubblewrap = spawnSync('bwrap', ['--dev-bind', '/', '/', 'true']).status === 0;
export const isRoot = userInfo().uid === 0;

const MAIN = fileURLToPath(new URL('../../supervisor/main.ts', import.meta.url));
const UNPACK = fileURLToPath(new URL('../../images/unpack/bin.ts', import.meta.url));
const PODS = { group: '', version: 'v1', resource: 'pods' };
const POLL_MS = 10;

export interface ScratchNode extends AsyncDisposable {
  readonly client: Client;
  readonly directory: string;
  readonly runtime: ProcessRuntime;
  /** Where a containerd was given. */
  readonly containers: CriRuntime | undefined;
  readonly controller: PodController;
  readonly runtimes: RuntimeSet;
  create(kind: 'configmaps' | 'secrets' | 'services', object: object): Promise<void>;
  run(name: string, container: Partial<Container>, spec?: Partial<PodSpec>, metadata?: object): Promise<Pod>;
  get(name: string): Promise<Pod | undefined>;
  pressures(): readonly string[];
  /** Waits until the pod is as `isDone` says. */
  until(name: string, isDone: (pod: Pod) => boolean): Promise<Pod>;
  gone(name: string): Promise<void>;
  delete(name: string, gracePeriodSeconds?: number): Promise<void>;
  events(name: string): Promise<string[]>;
  /** The agent dies and comes back: controller and runtime anew, API and supervisor as they were. */
  restartAgent(whileAway?: () => Promise<void>): Promise<void>;
  /** A container runtime that did not answer when the agent started does now. */
  containersCome(): Promise<void>;
  /** The node is stopped with its pods, and started again. */
  restartWithPods(): Promise<void>;
  /** The machine reboots: everything dies, the boot id changes. */
  reboot(): Promise<void>;
}

interface Agent {
  readonly runtime: ProcessRuntime;
  readonly containers: CriRuntime | undefined;
  readonly containersCome: () => Promise<void>;
  readonly pressures: () => readonly string[];
  readonly controller: PodController;
  readonly runtimes: RuntimeSet;
  stop(then?: 'stop pods' | 'forget pods'): Promise<void>;
}

export interface ScratchOptions {
  readonly withoutBubblewrap?: boolean;
  /** The node has containers, too, and they are its default; where there is no socket yet, once `containersCome`. */
  readonly containerdSocket?: string;
  readonly imageSource?: () => Promise<ImageSource>;
  /** Holds the manifests of static pods. */
  readonly staticPods?: string;
  readonly onReboot?: () => Promise<void>;
  /** When the API may be believed; at once by default. */
  readonly ready?: () => Promise<void>;
  readonly logMaxBytes?: number;
  readonly logMaxFiles?: number;
  /** The node is looked after when it runs short; its pods and logs are then on `disk`. */
  readonly eviction?: { readonly settings: () => EvictionSettings; readonly disk: string; readonly everyMs: number };
}

export async function scratchNode(options: ScratchOptions = {}): Promise<ScratchNode> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-node-'));
  const bootIdFile = join(directory, 'boot-id');
  writeBootId(bootIdFile);
  const store = openStore({ file: join(directory, 'store.db'), clock: systemClock, log: silentLogger });
  const server = createApiServer({
    store,
    clock: systemClock,
    log: silentLogger,
    authorizer: { authorize: () => ({ allowed: true }) },
  });
  const user = { username: 'test', groups: ['system:masters', 'system:authenticated'] };
  const client = createInProcessClient({ handle: (request) => server.handle(request), user });
  await client.create({ group: '', version: 'v1', resource: 'namespaces' }, objectOf('Namespace', 'default', {}));
  let agent = await startAgent(client, directory, bootIdFile, options);

  const get = async (name: string) => client.get<Pod>({ gvr: PODS, namespace: 'default', name }).catch(() => undefined);
  const until = (name: string, isDone: (pod: Pod) => boolean): Promise<Pod> =>
    eventually(
      `pod ${name} is as wanted`,
      async () => {
        const pod = await get(name);
        if (pod !== undefined && isDone(pod)) return pod;
        throw new Error(`pod ${name} is ${JSON.stringify(pod?.status, null, 1)}`);
      },
      { everyMs: POLL_MS },
    );
  return {
    client,
    directory,
    get runtime() {
      return agent.runtime;
    },
    get containers() {
      return agent.containers;
    },
    get controller() {
      return agent.controller;
    },
    get runtimes() {
      return agent.runtimes;
    },
    create: async (resource, object) => {
      await client.create({ group: '', version: 'v1', resource }, object as KubeObject);
    },
    run: (name, container, spec = {}, metadata = {}) =>
      client.create<Pod>(PODS, podOf(name, container, spec, metadata)),
    get,
    until,
    pressures: () => agent.pressures(),
    gone: async (name) => {
      await eventually(`pod ${name} is gone`, async () => (await get(name)) === undefined, { everyMs: POLL_MS });
    },
    delete: (name, gracePeriodSeconds) =>
      client.delete(
        { gvr: PODS, namespace: 'default', name },
        gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
      ),
    events: async (name) => {
      const { items } = await client.list({ group: '', version: 'v1', resource: 'events' }, { namespace: 'default' });
      const own = items.filter((event) => (event['involvedObject'] as { name?: string }).name === name);
      return own.map((event) => `${event['type']} ${event['reason']} ${event['message']}`);
    },
    restartAgent: async (whileAway = async () => {}) => {
      await agent.stop();
      await whileAway();
      agent = await startAgent(client, directory, bootIdFile, options);
    },
    containersCome: () => agent.containersCome(),
    restartWithPods: async () => {
      await agent.stop('stop pods');
      agent = await startAgent(client, directory, bootIdFile, options);
    },
    reboot: async () => {
      await agent.stop();
      await killEverything(join(directory, 'supervisor'));
      await options.onReboot?.();
      writeBootId(bootIdFile);
      agent = await startAgent(client, directory, bootIdFile, options);
    },
    [Symbol.asyncDispose]: async () => {
      // An agent that did not come back from a reboot can end nothing.
      await agent.stop('forget pods').catch(() => killEverything(join(directory, 'supervisor')));
      server.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startAgent(
  client: Client,
  directory: string,
  bootIdFile: string,
  {
    withoutBubblewrap = false,
    ready = async () => {},
    containerdSocket,
    imageSource,
    eviction,
    staticPods,
    ...logLimits
  }: ScratchOptions,
): Promise<Agent> {
  const { env, setpriv, ...sandbox } = findTools();
  const { uid, gid } = userInfo();
  const context = { clock: systemClock, log: silentLogger };
  const runtime = await createProcessRuntime({
    connect: (onExit) =>
      ensureSupervisor({
        directory: join(directory, 'supervisor'),
        agent: NODE,
        onExit,
        clock: systemClock,
        command: [process.execPath, '--conditions=source', MAIN, '--boot-id-file', bootIdFile],
      }),
    directory: join(directory, 'runtime'),
    clock: systemClock,
    log: silentLogger,
    agent: { uid, gid, groups: process.getgroups?.() ?? [] },
    ...logLimits,
    nodeIps: () => ['127.0.0.1'],
    images: async () => ({
      store: await openImageStore(join(directory, 'images'), context),
      source: createRegistrySource({ ...context, settings: () => ({}) }),
      unpack: [process.execPath, '--conditions=source', UNPACK],
    }),
    hidden: [directory],
    tools: { env, ...(setpriv === undefined ? {} : { setpriv }), ...(withoutBubblewrap ? {} : sandbox) },
  });
  const runtimes = createRuntimeSet(runtime);
  let containers: CriRuntime | undefined;
  const containersCome = async (): Promise<void> => {
    containers = await createCriRuntime({
      socket: containerdSocket ?? '',
      nodeName: NODE,
      directory: join(directory, 'runtime'),
      clock: systemClock,
      log: silentLogger,
      nodeIps: () => ['127.0.0.1'],
      bootIdFile,
      ...(imageSource === undefined ? {} : { imageSource }),
      ...logLimits,
    });
    runtimes.add(containers);
  };
  if (containerdSocket !== undefined && existsSync(containerdSocket)) await containersCome();
  const places = {
    directory: join(eviction?.disk ?? directory, 'pods'),
    logs: join(eviction?.disk ?? directory, 'logs'),
  };
  const recorder = createRecorder({
    client,
    clock: systemClock,
    log: silentLogger,
    component: 'skerry-edge',
    host: NODE,
  });
  const shared = { nodeName: NODE, runtimes, clock: systemClock, log: silentLogger, recorder };
  const evictions =
    eviction === undefined
      ? undefined
      : createEvictionManager({
          ...shared,
          settings: eviction.settings(),
          everyMs: eviction.everyMs,
          directory: eviction.disk,
          pods: places.directory,
          logs: places.logs,
        });
  const controller = createPodController({
    ...shared,
    client,
    directory: places.directory,
    logDirectory: places.logs,
    refusal: (pod) => evictions?.refusal(pod),
    statics: createStaticPods({ ...shared, client, folder: staticPods }),
    ready: ready(),
    nodeIps: () => ['127.0.0.1'],
    allocatable: () => ({ cpu: '2', memory: '4Gi', 'ephemeral-storage': '10Gi' }),
    localApi: () => ({ host: '127.0.0.1', port: 10_443 }),
    requestToken: async ({ serviceAccount }) => ({
      token: `token-of-${serviceAccount}`,
      expiresAt: systemClock.now() + 3_600_000,
    }),
  });
  const abort = new AbortController();
  const running = Promise.allSettled([controller.run(abort.signal), evictions?.run(controller.pods, abort.signal)]);
  return {
    runtime,
    get containers() {
      return containers;
    },
    containersCome,
    pressures: () => [...(evictions?.pressures ?? [])],
    controller,
    runtimes,
    stop: async (then) => {
      abort.abort();
      await running;
      if (then === 'stop pods') {
        await controller.stopAll();
        await runtime.shutdown();
        await containers?.shutdown();
      }
      if (then === 'forget pods') await endAll(runtime);
      runtime.close();
      containers?.close();
    },
  };
}

/** A start that was under way when the agent went shows up late. */
async function endAll(runtime: ProcessRuntime): Promise<void> {
  for (;;) {
    for (const { id } of await runtime.list()) {
      await runtime.kill(id);
      await runtime.remove(id);
    }
    try {
      await runtime.shutdown();
      return;
    } catch {
      await systemClock.sleep(POLL_MS);
    }
  }
}

/** As the power going: whoever could write an exit code down goes first, then all that is left of each process. */
async function killEverything(root: string): Promise<void> {
  const holder = readJson<ProcessIdentity>(join(root, 'lock'));
  if (holder !== undefined) {
    sendSignal(holder.pid, 'SIGKILL');
    await eventually('the supervisor is dead', () => !isAlive(holder, holder.bootId), { everyMs: POLL_MS });
  }
  const processes = readdirSync(join(root, 'processes')).map((id) => join(root, 'processes', id));
  for (const pid of processes.map(monitorOf)) if (pid !== undefined) sendSignal(pid, 'SIGKILL');
  for (const directory of processes) killHolders(directory);
}

/** Undefined as well where a start was under way, which has no record yet. */
function monitorOf(directory: string): number | undefined {
  const record = readJson<ProcessRecord>(join(directory, 'record.json'));
  return record?.exit === undefined ? record?.monitor?.pid : undefined;
}

function readJson<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
}

function writeBootId(file: string): void {
  writeFileSync(file, newUid());
}

export function objectOf(kind: string, name: string, fields: object): KubeObject {
  return {
    apiVersion: 'v1',
    kind,
    metadata: { name, ...(kind === 'Namespace' ? {} : { namespace: 'default' }) },
    ...fields,
  };
}

function podOf(name: string, container: Partial<Container>, spec: Partial<PodSpec>, metadata: object): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...metadata },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'host', ...container }],
      ...spec,
    },
  };
}
