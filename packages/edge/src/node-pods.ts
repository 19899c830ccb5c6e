/** The pods of this node: runtimes, pod controller, Node object and streams, over the node's own API. */
import type { KubeObject } from '@skerry/api';
import type { HostPort } from '@skerry/base/flags';
import { type Client, createRecorder } from '@skerry/kube/client';
import { kubeletVersion } from '@skerry/kube/server';
import type { NodeStreamHandler } from '@skerry/kube/streaming';
import {
  type Amount,
  API_IN_PODS,
  createEvictionManager,
  createHostAddresses,
  createImagePuller,
  createNodeReporter,
  createNodeStreamHandler,
  createPodController,
  createStaticPods,
  type EvictionSettings,
  openServiceNetwork,
  type ServiceNetwork,
} from '@skerry/workloads/edge';
import type { ImageSource } from '@skerry/workloads/images';
import type { AskCloud } from './cloud-requests.ts';
import { evictionSettings } from './eviction-flags.ts';
import type { Ground } from './ground.ts';
import type { LocalListeners } from './local-api.ts';
import { podTokens } from './pod-tokens.ts';
import { openRuntimes } from './runtimes.ts';

export interface NodePodsOptions {
  readonly ground: Ground;
  /** Of the node's own API, as the agent. */
  readonly client: Client;
  readonly listeners: LocalListeners;
  readonly ask: AskCloud;
  readonly isConnected: () => boolean;
  /** Where images come from, for whoever wants the first one. */
  readonly imageSource: () => Promise<ImageSource>;
}

export interface NodePods {
  readonly streams: NodeStreamHandler;
  /** Works until `signal` aborts, and leaves the pods running then. */
  run(signal: AbortSignal): Promise<unknown>;
  /** After `run` has ended: ends the pods with their grace, and what holds them after them. */
  stopAll(): Promise<void>;
  close(): Promise<void>;
}

export async function openNodePods({
  ground,
  client,
  listeners,
  ask,
  isConnected,
  imageSource,
}: NodePodsOptions): Promise<NodePods> {
  const { node, paths, flags, pki, replica, access, level, supervisor, unpack, version, clock, log } = ground;
  const keys = flags['key-file'] ?? ground.keyDir;
  const nodeIps = createHostAddresses(clock);
  const containerdSocket = flags['containerd-socket'];
  const isWanted = flags.services === 'on';
  const network = await openServiceNetwork({ node, home: paths.home, isWanted, clock, log });
  const inPods = await apiInPods(listeners, network);
  const runtimes = await openRuntimes({
    paths,
    keys,
    node,
    nodeIps,
    network,
    supervisor,
    unpack,
    imageSource,
    containerdSocket,
    clock,
    log,
  });
  const shared = { client, nodeName: node, clock, log, runtimes: runtimes.set, nodeIps };
  const leaseMs = flags['node-lease-duration'];
  const services = () => network.state();
  const recorder = createRecorder({ client, clock, log, component: 'skerry-edge', host: node });
  const settings = evictionSettings(flags);
  const places = { directory: paths.home, pods: paths.pods, logs: paths.logs };
  const evictions = createEvictionManager({ ...shared, ...places, recorder, settings });
  const reporter = createNodeReporter({
    ...shared,
    directory: paths.home,
    version: kubeletVersion(version),
    leaseMs,
    services,
    recorder,
    pressure: evictions,
    reserved: reservedBy(settings),
  });
  const controller = createPodController({
    ...shared,
    client: withOwnAuthority(client, pki.caPem),
    recorder,
    refusal: (pod) => evictions.refusal(pod),
    statics: createStaticPods({ ...shared, folder: flags['static-pods'], recorder }),
    directory: paths.pods,
    logDirectory: paths.logs,
    ready: level,
    allocatable: () => reporter.allocatable(),
    localApi: (isOnHost) => (isOnHost ? listeners.address : inPods),
    requestToken: podTokens({ node, store: replica.store, issuer: access.issuer, ask, isConnected, clock, log }),
  });
  const puller = createImagePuller({ ...shared, recorder });
  return {
    streams: createNodeStreamHandler({ ...shared, pods: controller.pods, directory: paths.home }),
    run: (signal) =>
      Promise.allSettled([
        controller.run(signal),
        puller.run(signal),
        reporter.run(signal),
        runtimes.follow(signal),
        evictions.run(controller.pods, signal),
        network.run({ client, ready: level }, signal),
      ]),
    stopAll: async () => {
      await controller.stopAll();
      await runtimes.shutdown();
      await network.remove();
    },
    close: async () => {
      runtimes.close();
      await network.close();
    },
  };
}

/** What eviction keeps free, the scheduler need not count on. */
function reservedBy({ thresholds }: EvictionSettings): { readonly memory: Amount[]; readonly disk: Amount[] } {
  const hard = thresholds.filter(({ graceMs }) => graceMs === 0);
  const of = (signal: string) => hard.filter((one) => one.signal === signal).map(({ least }) => least);
  return { memory: of('memory.available'), disk: of('nodefs.available') };
}

/** Pods on networks of their own find the API where Services are; the loopback address is theirs alone. */
async function apiInPods(listeners: LocalListeners, network: ServiceNetwork): Promise<HostPort> {
  if (network.address === undefined) return listeners.address;
  const { host, port } = await listeners.listenAlso(network.address);
  network.setApi({ ip: host, port });
  return API_IN_PODS;
}

const ROOT_CA = 'kube-root-ca.crt';

/** What pods mount as the API's authority: the cloud's, and this node's, whose API is the one they reach. */
function withOwnAuthority(client: Client, caPem: string): Client {
  return {
    ...client,
    get: async <T extends KubeObject>(...args: Parameters<Client['get']>) => {
      const object = await client.get<T>(...args);
      const [{ gvr, name }] = args;
      if (gvr.resource !== 'configmaps' || name !== ROOT_CA) return object;
      const data = (object['data'] ?? {}) as Record<string, string>;
      return { ...object, data: { ...data, 'ca.crt': `${data['ca.crt'] ?? ''}\n${caPem}` } };
    },
  };
}
