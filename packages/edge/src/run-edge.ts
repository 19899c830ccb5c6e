/** The agent: identity, replica, local API, link and pods, put together. Composition only; each part lives elsewhere. */
import type { KubeObject } from '@skerry/api';
import type { Clock, Logger } from '@skerry/base';
import { type FlagValues, formatHostPort } from '@skerry/base/flags';
import { type Client, createInProcessClient, createRecorder } from '@skerry/kube/client';
import { builtinKinds, ResourceTable } from '@skerry/kube/server';
import type { NodeStreamHandler } from '@skerry/kube/streaming';
import { createEdgeLink, type EdgeLink } from '@skerry/link/node';
import { isPattern, linkTlsOptions, parseJoinToken } from '@skerry/security/identity';
import { openPki, privateKeyFromPem } from '@skerry/security/pki';
import { keyFileFor, openSealer } from '@skerry/security/secrets';
import {
  createNodeReporter,
  createNodeStreamHandler,
  createPodController,
  hostAddresses,
} from '@skerry/workloads/edge';
import { followCloudKeys } from './cloud-keys.ts';
import { askOver } from './cloud-requests.ts';
import { edgePaths, makeFolders, onlyNode } from './data-dir.ts';
import { edgeErrors } from './errors.ts';
import type { edgeFlags } from './flags.ts';
import { keepIdentity, openIdentity } from './identity-keeper.ts';
import { watchLink } from './link-watch.ts';
import { openLocalAccess } from './local-access.ts';
import { createLocalApi, listenLocally } from './local-api.ts';
import { linkStreamHandler, localDialer } from './node-streams.ts';
import { openOwnReplica } from './own-replica.ts';
import { podTokens } from './pod-tokens.ts';
import { openRuntimes } from './runtimes.ts';

export interface EdgeOptions {
  readonly flags: FlagValues<ReturnType<typeof edgeFlags>>;
  /** From the flag or, so that no process list shows it, from the environment. */
  readonly token: string | undefined;
  readonly keyDir: string;
  /** The supervisor's bundle. */
  readonly supervisor: string;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Edge {
  /** What whoever started this process is told. */
  readonly facts: Readonly<Record<string, string>>;
  /** Pods run on and are taken over by the next agent. */
  stop(): Promise<void>;
  /** Pods end with their grace, and the supervisor after them; the next start runs them anew. */
  stopWithPods(): Promise<void>;
}

/** The agent's own requests to its own API: only the node itself makes its Node and ends pods that the cloud wants ended. */
const agentUser = (node: string) => ({
  username: `system:node:${node}`,
  groups: ['system:masters', 'system:authenticated'],
});

export async function runEdge(options: EdgeOptions): Promise<Edge> {
  const { flags, clock, log, version } = options;
  const dataDir = flags['data-dir'];
  const node = chooseNode(dataDir, flags.node, options.token);
  const paths = edgePaths(dataDir, node);
  makeFolders(paths);
  const stopping = new AbortController();
  const { signal } = stopping;
  const identity = await openIdentity({ directory: paths.identity, clock, log }, joinRequest(options, node));
  const keyFile = flags['key-file'] ?? keyFileFor(options.keyDir, paths.home);
  const sealer = openSealer({ keyFile, checkFile: paths.keyCheck });
  const pki = openPki(paths.pki, { clock, names: [flags.listen.host], anyClock: true });

  const table = new ResourceTable(builtinKinds());
  const level = Promise.withResolvers<void>();
  const replica = openOwnReplica({
    dataDir,
    identity: paths.identity,
    file: paths.replica,
    node,
    rows: () => table.all().map(({ row }) => row),
    sealer,
    onCurrent: level.resolve,
    clock,
    log,
  });
  // A replica that has been whole once is what the node goes by, however old it is.
  if (replica.state.position().length > 0) level.resolve();
  const access = openLocalAccess({
    node,
    store: replica.store,
    pki,
    directory: paths.identity,
    identityKey: privateKeyFromPem(identity.keyPem),
    clock,
    log,
  });

  let link: EdgeLink | undefined;
  const isConnected = () => link?.status().connected === true;
  const ask = askOver(() => link);
  const late = lateHandler();
  const dialer = localDialer(node, late.handler);
  const api = createLocalApi({ node, replica, table, sealer, access, dialer, ask, clock, log });
  const listeners = await listenLocally({
    api,
    access,
    dialer,
    pki,
    at: flags.listen,
    socket: paths.socket,
    kubeconfig: paths.kubeconfig,
    clock,
    log,
  });
  const client = createInProcessClient({
    handle: (request) => api.handle(request),
    user: agentUser(node),
    userAgent: 'skerry-edge',
  });

  const nodeIps = () => hostAddresses();
  const runtimes = await openRuntimes({
    paths,
    node,
    nodeIps,
    supervisor: options.supervisor,
    containerdSocket: flags['containerd-socket'],
    clock,
    log,
  });
  const reporter = createNodeReporter({
    client,
    nodeName: node,
    clock,
    log,
    runtimes: runtimes.all,
    nodeIps,
    directory: paths.home,
    version: `v${version}`,
    leaseMs: flags['node-lease-duration'],
  });
  const pods = createPodController({
    client: withOwnAuthority(client, pki.caPem),
    nodeName: node,
    runtimes: runtimes.all,
    clock,
    log,
    recorder: createRecorder({ client, clock, log, component: 'skerry-edge', host: node }),
    directory: paths.pods,
    logDirectory: paths.logs,
    ready: level.promise,
    nodeIps,
    allocatable: () => reporter.allocatable(),
    localApi: () => listeners.address,
    requestToken: podTokens({ node, store: replica.store, issuer: access.issuer, ask, isConnected, clock, log }),
  });
  late.use(
    createNodeStreamHandler({ nodeName: node, pods: pods.pods, runtimes: runtimes.all, clock, directory: paths.home }),
  );

  const keeper = keepIdentity({
    directory: paths.identity,
    identity,
    clock,
    log,
    signal,
    onRenewed: () => link?.retryNow(),
  });
  link = createEdgeLink({
    endpoints: () => keeper.current.addresses,
    tls: () => ({
      key: keeper.current.keyPem,
      cert: keeper.current.certificatePem,
      ...linkTlsOptions(keeper.current.caPem),
    }),
    node,
    replica: replica.state,
    outbox: replica.outbox,
    streamHandler: linkStreamHandler(late.handler),
    sessionNumbers: replica.sessionNumbers,
    clock,
    log,
    random: Math.random,
  });
  const forget = watchLink(link, keeper, log);
  void followCloudKeys({ node, ask, link, access, clock, log, signal });
  link.start();
  const running = Promise.allSettled([pods.run(signal), reporter.run(signal)]);
  log.info({ node, api: formatHostPort(listeners.address), dataDir }, 'serving');

  const end = async (withPods: boolean): Promise<void> => {
    stopping.abort();
    forget();
    await running;
    if (withPods) {
      await pods.stopAll();
      await runtimes.shutdown();
    }
    runtimes.close();
    await link?.stop();
    await listeners.close();
    api.close();
    await replica.close();
  };
  return {
    facts: { node, server: `https://${formatHostPort(listeners.address)}`, kubeconfig: paths.kubeconfig },
    stop: () => end(false),
    stopWithPods: () => end(true),
  };
}

/** The flag's name, else the token's, else that of the one node that lives here. */
function chooseNode(dataDir: string, named: string | undefined, token: string | undefined): string {
  if (named !== undefined) return named;
  const inToken = token === undefined ? undefined : parseJoinToken(token).node;
  const node = inToken !== undefined && !isPattern(inToken) ? inToken : onlyNode(dataDir);
  if (node === undefined) throw edgeErrors.NOT_JOINED({ dir: dataDir });
  return node;
}

function joinRequest({ flags, token }: EdgeOptions, node: string) {
  return { node, addresses: flags.join, ...(token === undefined ? {} : { token }) };
}

/** Streams may be asked for before there are pods to stream from. */
function lateHandler(): { readonly handler: NodeStreamHandler; use(handler: NodeStreamHandler): void } {
  const { promise, resolve } = Promise.withResolvers<NodeStreamHandler>();
  return { handler: async (request, stream, signal) => (await promise)(request, stream, signal), use: resolve };
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
