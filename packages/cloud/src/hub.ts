/** The hub and its door: enrolment, links, the state that goes down and the writes that come up. */

import { StatusError } from '@skerry/api';
import { messageOf } from '@skerry/base';
import type { HostPort } from '@skerry/base/flags';
import { edgeWinsDesired } from '@skerry/devices/cloud';
import { type Client, createInProcessClient, createRecorder } from '@skerry/kube/client';
import {
  answerForwarded,
  createOutboxSink,
  createStateFeed,
  type DroppedEntry,
  trackIncluded,
} from '@skerry/kube/replica';
import type { ApiServer } from '@skerry/kube/server';
import { formatKey } from '@skerry/kube/store';
import type { BlobDoor, LinkStream } from '@skerry/link/contract';
import { type CopySuspicion, createHub, type Hub } from '@skerry/link/node';
import { createEnrolment, createLinkListener, type LinkListener } from '@skerry/security/identity';
import type { Telemetry } from '@skerry/streams/cloud';
import { isRoadHeader } from '@skerry/streams/supervision';
import type { Ground } from './ground.ts';
import { joinTokenStore, type NodeIdentities, nodeIdentities } from './identity.ts';

export interface HubParts extends Ground {
  readonly api: ApiServer;
  /** Acts as the cloud itself. */
  readonly client: Client;
  /** What nodes get besides state and answers. */
  readonly blobs: BlobDoor;
  /** Where their time series go. */
  readonly telemetry: Pick<Telemetry, 'serve'>;
}

export interface RunningHub {
  readonly hub: Hub;
  readonly listener: LinkListener;
  listen(at: HostPort): Promise<number>;
  stop(): Promise<void>;
}

export function openHub(parts: HubParts): RunningHub {
  const { store, sealer, client, concerns, rows, pki, revocations, clock, log, audit } = parts;
  const identities = nodeIdentities({ client, store, clock, log });
  const included = trackIncluded();
  const { 'image-rate': nodeRate, 'image-rate-all': allRate } = parts.flags;
  const hub = createHub({
    feed: createStateFeed({ store, concerns, included, sealer }),
    sink: createOutboxSink({
      edgeWins: edgeWinsDesired,
      clientFor: (node) => nodeClient(parts, node),
      rows,
      included,
      log,
      onDropped: (dropped) => recordDropped(parts, dropped),
    }),
    streamHandler: (node, header, stream, signal) => answerNode(parts, node, { header, stream, signal }),
    blobs: parts.blobs,
    options: {
      ...(nodeRate === undefined ? {} : { blobBytesPerSecond: nodeRate }),
      ...(allRate === undefined ? {} : { allBlobBytesPerSecond: allRate }),
    },
    // The listener has verified and, if need be, refused the certificate already; a revoked node never comes this far.
    authorize: () => 'allow',
    sessionNumbers: identities.sessionNumbers,
    clock,
    log,
    onCopy: (suspicion) => void reportCopy(parts, identities, suspicion),
  });
  const enrolment = createEnrolment({
    authority: pki.authority,
    tokens: joinTokenStore(client),
    revocations,
    clock,
    rejoinWindowMs: parts.flags['rejoin-window'],
    onJoined: (node) => identities.onJoined(node),
    onIssued: (node, certificate) => identities.onIssued(node, certificate),
    audit,
  });
  const listener = createLinkListener({
    pki,
    enrolment,
    revocations,
    clock,
    log,
    onLink: (request, socket, head, { node }) => hub.handleUpgrade(request, socket, head, node),
  });
  const forget = revocations.onRevoked((node) => hub.closeNode(node, 'revoked'));
  return {
    hub,
    listener,
    listen: ({ host, port }) => listener.listen(port, host),
    stop: async () => {
      forget();
      await hub.stop();
      await listener.close();
    },
  };
}

interface NodeQuestion {
  readonly header: Uint8Array;
  readonly stream: LinkStream;
  readonly signal: AbortSignal;
}

/** What nodes ask of the cloud, requests they cannot answer themselves, and what they bring. */
async function answerNode(
  { api, concerns, telemetry }: HubParts,
  node: string,
  { header, stream, signal }: NodeQuestion,
): Promise<void> {
  if (isRoadHeader(header)) return telemetry.serve(node, stream, signal);
  const isOnNode = (_node: string, namespace: string, name: string) =>
    concerns.concerns(node, formatKey({ group: '', resource: 'serviceaccounts', namespace, name }));
  try {
    await answerForwarded({ handle: (request) => api.handle(request), isOnNode }, node, header, stream, signal);
  } catch (error) {
    throw error instanceof StatusError ? new Error(JSON.stringify(error.status), { cause: error }) : error;
  }
}

/** Acts as the node: what it may write is the node authorizer's to say. */
function nodeClient({ api }: HubParts, node: string): Client {
  const user = { username: `system:node:${node}`, groups: ['system:nodes', 'system:authenticated'] };
  return createInProcessClient({ handle: (request) => api.handle(request), user, userAgent: 'skerry-edge' });
}

/** What a node wrote and the cloud will never take is lost: whoever asks later finds out what and why. */
function recordDropped({ audit, clock }: Pick<HubParts, 'audit' | 'clock'>, dropped: DroppedEntry): void {
  const { node, key, op, reason } = dropped;
  audit?.append({
    time: new Date(clock.now()).toISOString(),
    user: `system:node:${node}`,
    verb: `drop-${op}`,
    path: `/outbox/${key}`,
    code: 422,
    reason,
  });
}

const NODES = { group: '', version: 'v1', resource: 'nodes' };

async function reportCopy(
  { client, clock, log }: HubParts,
  identities: NodeIdentities,
  suspicion: CopySuspicion,
): Promise<void> {
  const { node, kind, comerAddress } = suspicion;
  log.warn({ ...suspicion }, 'an identity was seen in two places');
  try {
    await identities.onCopied(node);
    const object = await client.get({ gvr: NODES, name: node });
    const recorder = createRecorder({ client, clock, log, component: 'hub' });
    const message = `The identity of this node was used from ${comerAddress} too (${kind}); that connection was refused. If it is a copy, revoke the node and join it anew.`;
    recorder.event(object, 'Warning', 'IdentityCopied', message);
    await recorder.flush();
  } catch (error) {
    log.warn({ node, error: messageOf(error) }, 'the copied identity could not be flagged');
  }
}
