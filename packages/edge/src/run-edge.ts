/** The agent: ground, local API, pods and link, put together. Composition only; each part lives elsewhere. */
import type { Clock, Logger } from '@skerry/base';
import { type FlagValues, formatHostPort } from '@skerry/base/flags';
import { telemetryKinds } from '@skerry/devices/telemetry';
import { createInProcessClient } from '@skerry/kube/client';
import { virtualKind } from '@skerry/kube/server';
import type { NodeStreamHandler } from '@skerry/kube/streaming';
import { createEdgeLink, type EdgeLink } from '@skerry/link/node';
import { linkTlsOptions } from '@skerry/security/identity';
import { askNode, seriesKinds } from '@skerry/streams/telemetry';
import { nodeUsage, serveMetrics } from '@skerry/workloads/edge';
import type { ImageSource } from '@skerry/workloads/images';
import { followCloudKeys } from './cloud-keys.ts';
import { askOver } from './cloud-requests.ts';
import { openDataWorker } from './data-worker.ts';
import type { edgeFlags } from './flags.ts';
import { type Ground, layGround } from './ground.ts';
import { type IdentityKeeper, keepIdentity } from './identity-keeper.ts';
import { openImageSource } from './image-source.ts';
import { serveWorkerDoor } from './link-door.ts';
import { watchLink } from './link-watch.ts';
import { createLocalApi, listenLocally } from './local-api.ts';
import { openNodePods } from './node-pods.ts';
import { linkStreamHandler, localDialer } from './node-streams.ts';
import { openOpcUaGateway } from './opcua-gateway.ts';
import { certificateAnswers } from './site-certificates.ts';

export interface EdgeOptions {
  readonly flags: FlagValues<ReturnType<typeof edgeFlags>>;
  /** From the flag or, so that no process list shows it, from the environment. */
  readonly token: string | undefined;
  readonly keyDir: string;
  /** The bundles of the processes that it starts. */
  readonly supervisor: string;
  readonly dataWorker: string;
  readonly opcUaGateway: string;
  readonly unpack: string;
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
  await using stack = new AsyncDisposableStack();
  const ground = await layGround(options, stack);
  const { node, paths, flags, pki, access, clock, log } = ground;
  const stopping = new AbortController();
  const { signal } = stopping;

  let link: EdgeLink | undefined;
  const ask = askOver(() => link);
  const late = lateHandler();
  const dialer = localDialer(node, late.handler);
  const api = stack.adopt(createLocalApi({ ...ground, dialer, ask }), (opened) => opened.close());
  const { socket, kubeconfig } = paths;
  const at = flags.listen;
  const listening = await listenLocally({ api, access, dialer, pki, at, socket, kubeconfig, clock, log });
  const listeners = stack.adopt(listening, (opened) => opened.close());
  const handle: typeof api.handle = (request) => api.handle(request);
  const client = createInProcessClient({ handle, user: agentUser(node), userAgent: 'skerry-edge' });
  serveMetrics(api.table, { client, usage: nodeUsage({ dialer, clock, log }) });
  const series = seriesKinds({ here: askNode(dialer, node), dialer });
  for (const kind of [...telemetryKinds({ client, dialer, clock }), ...series])
    api.table.replace(kind.row.gvr.group, kind.row.gvr.resource, [virtualKind(kind)]);
  const isConnected = () => link?.status().connected === true;
  let source: Promise<ImageSource> | undefined;
  // One for all runtimes: the rate is the node's.
  const imageSource = () =>
    (source ??= openImageSource({ store: ground.replica.store, link: () => link, clock, signal }));
  const opening = openNodePods({ ground, client, listeners, ask, isConnected, imageSource });
  const pods = stack.adopt(await opening, (opened) => opened.close());
  const door = { socket: paths.linkDoor, token: ground.workerToken, link: () => link };
  stack.adopt(await serveWorkerDoor({ ...door, clock, log }), (opened) => opened.close());
  const data = stack.adopt(openOwnDataWorker(ground), (opened) => opened.close());
  late.use(data.streams(pods.streams));
  stack.adopt(openOwnGateway(ground), (opened) => opened.close());

  const { identity } = ground;
  const onRenewed = () => link?.retryNow();
  const keeper = keepIdentity({ directory: paths.identity, identity, clock, log, signal, onRenewed });
  link = stack.adopt(openLink(ground, keeper, late.handler), (opened) => opened.stop());
  stack.defer(watchLink(link, keeper, log));
  void followCloudKeys({ node, ask, link, access, clock, log, signal });
  link.start();
  const running = pods.run(signal);
  const address = formatHostPort(listeners.address);
  log.info({ node, api: address, dataDir: flags['data-dir'] }, 'serving');

  const opened = stack.move();
  const end = async (withPods: boolean): Promise<void> => {
    stopping.abort();
    await running;
    // While there still is a link, so that the cloud hears of their end.
    if (withPods) await pods.stopAll();
    await opened.disposeAsync();
  };
  return {
    facts: { node, server: `https://${address}`, kubeconfig },
    stop: () => end(false),
    stopWithPods: () => end(true),
  };
}

function openOwnDataWorker({ node, paths, workerToken: token, dataWorker: bundle, replica, pki, clock, log }: Ground) {
  const { socket, values, drivers, writeLedger: ledger, streams, linkDoor } = paths;
  const answer = certificateAnswers({ pki, clock, log });
  const start = { node, socket, token, values, drivers, ledger, streams, linkDoor };
  return openDataWorker({ ...start, bundle, answer, store: replica.store, clock, log });
}

function openOwnGateway({ node, paths, workerToken: token, opcUaGateway: bundle, replica, clock, log }: Ground) {
  const { socket, values, opcUaKeys: folder } = paths;
  return openOpcUaGateway({ node, socket, token, values, folder, bundle, store: replica.store, clock, log });
}

function openLink({ node, replica, clock, log }: Ground, keeper: IdentityKeeper, streams: NodeStreamHandler): EdgeLink {
  return createEdgeLink({
    endpoints: () => keeper.current.addresses,
    tls: () => ({
      key: keeper.current.keyPem,
      cert: keeper.current.certificatePem,
      ...linkTlsOptions(keeper.current.caPem),
    }),
    node,
    replica: replica.state,
    outbox: replica.outbox,
    streamHandler: linkStreamHandler(streams),
    sessionNumbers: replica.sessionNumbers,
    clock,
    log,
    random: Math.random,
  });
}

/** Streams may be asked for before there are pods to stream from. */
function lateHandler(): { readonly handler: NodeStreamHandler; use(handler: NodeStreamHandler): void } {
  const { promise, resolve } = Promise.withResolvers<NodeStreamHandler>();
  return { handler: async (request, stream, signal) => (await promise)(request, stream, signal), use: resolve };
}
