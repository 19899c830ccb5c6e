/** The hub and its door: enrolment, links, the state that goes down and the writes that come up. */
import type { AuditLog, ResourceRow, Sealer } from '@skerry/api';
import type { Clock, Logger } from '@skerry/base';
import { messageOf } from '@skerry/base';
import type { HostPort } from '@skerry/base/flags';
import { type Client, createInProcessClient, createRecorder } from '@skerry/kube/client';
import { type Concerns, createOutboxSink, createStateFeed, trackIncluded } from '@skerry/kube/replica';
import type { ApiServer } from '@skerry/kube/server';
import type { Store } from '@skerry/kube/store';
import { type CopySuspicion, createHub, type Hub } from '@skerry/link/node';
import { createEnrolment, createLinkListener, type LinkListener, type Revocations } from '@skerry/security/identity';
import type { Pki } from '@skerry/security/pki';
import { joinTokenStore, nodeIdentities } from './identity.ts';

export interface HubParts {
  readonly store: Store;
  /** Opens Secrets for their way down, which is inside the link's TLS. */
  readonly sealer: Sealer;
  readonly api: ApiServer;
  /** Acts as the cloud itself. */
  readonly client: Client;
  readonly concerns: Concerns;
  readonly rows: () => Iterable<ResourceRow>;
  readonly pki: Pki;
  readonly revocations: Revocations;
  readonly audit?: AuditLog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly rejoinWindowMs: number;
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
  const hub = createHub({
    feed: createStateFeed({ store, concerns, included, sealer }),
    sink: createOutboxSink({ clientFor: nodeClients(parts), rows, included, log }),
    authorize: () => 'allow',
    sessionNumbers: identities.sessionNumbers,
    clock,
    log,
    onCopy: (suspicion) => void reportCopy(parts, identities.onCopied, suspicion),
  });
  const enrolment = createEnrolment({
    authority: pki.authority,
    tokens: joinTokenStore(client),
    revocations,
    clock,
    rejoinWindowMs: parts.rejoinWindowMs,
    onJoined: identities.onJoined,
    onIssued: identities.onIssued,
    ...(audit === undefined ? {} : { audit }),
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

/** One client a node, acting as that node: what it may write is the node authorizer's to say. */
function nodeClients({ api }: HubParts): (node: string) => Client {
  const clients = new Map<string, Client>();
  return (node) => {
    const known = clients.get(node);
    if (known !== undefined) return known;
    const user = { username: `system:node:${node}`, groups: ['system:nodes', 'system:authenticated'] };
    const client = createInProcessClient({ handle: (request) => api.handle(request), user, userAgent: 'skerry-edge' });
    clients.set(node, client);
    return client;
  };
}

const NODES = { group: '', version: 'v1', resource: 'nodes' };

async function reportCopy(
  { client, clock, log }: HubParts,
  onCopied: (node: string) => Promise<void>,
  suspicion: CopySuspicion,
): Promise<void> {
  const { node, kind, comerAddress } = suspicion;
  log.warn({ ...suspicion }, 'an identity was seen in two places');
  try {
    await onCopied(node);
    const object = await client.get({ gvr: NODES, name: node });
    const recorder = createRecorder({ client, clock, log, component: 'hub' });
    const message = `The identity of this node was used from ${comerAddress} too (${kind}); that connection was refused. If it is a copy, revoke the node and join it anew.`;
    recorder.event(object, 'Warning', 'IdentityCopied', message);
    await recorder.flush();
  } catch (error) {
    log.warn({ node, error: messageOf(error) }, 'the copied identity could not be flagged');
  }
}
