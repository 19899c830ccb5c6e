/** What clients may take of a server: what its object says, and what no server of ours goes beyond. */
import type { OPCUAServer, OPCUAServerOptions } from 'node-opcua-server';

export interface ServerLimits {
  readonly sessions: number;
  readonly subscriptionsPerSession: number;
  readonly monitoredItemsPerSubscription: number;
  readonly queueSize: number;
  readonly minSamplingIntervalMs: number;
  readonly messageBytes: number;
}

/** One more than there are sessions could never come to say that it is one too many. */
const SPARE_CONNECTIONS = 10;
/** Of all sessions together: each costs memory also when nothing changes. */
const MAX_SUBSCRIPTIONS = 1000;
const MAX_MONITORED_ITEMS = 200_000;
/** Of one request. */
const MAX_OPERATIONS = 10_000;
/** Each is a command to a device. */
const MAX_CALLS = 100;
const MIN_CHUNK_BYTES = 8192;
const MAX_CHUNK_BYTES = 65_536;

type Bounds = Pick<OPCUAServerOptions, 'maxConnectionsPerEndpoint' | 'serverCapabilities' | 'transportSettings'>;

export function bounds(limits: ServerLimits): Bounds {
  const { sessions, subscriptionsPerSession, monitoredItemsPerSubscription, queueSize, messageBytes } = limits;
  return {
    maxConnectionsPerEndpoint: sessions + SPARE_CONNECTIONS,
    serverCapabilities: {
      maxSessions: sessions,
      maxSubscriptionsPerSession: subscriptionsPerSession,
      maxSubscriptions: MAX_SUBSCRIPTIONS,
      maxMonitoredItemsPerSubscription: monitoredItemsPerSubscription,
      maxMonitoredItems: MAX_MONITORED_ITEMS,
      maxMonitoredItemsQueueSize: queueSize,
      minSupportedSampleRate: limits.minSamplingIntervalMs,
      operationLimits: {
        maxNodesPerRead: MAX_OPERATIONS,
        maxNodesPerWrite: MAX_OPERATIONS,
        maxNodesPerBrowse: MAX_OPERATIONS,
        maxNodesPerRegisterNodes: MAX_OPERATIONS,
        maxNodesPerTranslateBrowsePathsToNodeIds: MAX_OPERATIONS,
        maxMonitoredItemsPerCall: MAX_OPERATIONS,
        maxNodesPerMethodCall: MAX_CALLS,
      },
    },
    transportSettings: {
      adjustTransportLimits: (asked) => ({
        ...asked,
        maxMessageSize: limited(asked.maxMessageSize, messageBytes),
        maxChunkCount: limited(asked.maxChunkCount, Math.ceil(messageBytes / MIN_CHUNK_BYTES)),
        receiveBufferSize: limited(asked.receiveBufferSize, MAX_CHUNK_BYTES),
        sendBufferSize: limited(asked.sendBufferSize, MAX_CHUNK_BYTES),
      }),
    },
  };
}

/** What requests to watch something have, as far as it is bounded here. */
interface WatchRequest {
  readonly itemsToCreate?: readonly WatchedItem[] | null;
  readonly itemsToModify?: readonly WatchedItem[] | null;
}

interface WatchedItem {
  readonly requestedParameters: { queueSize: number };
}

/** The library tells clients how long a queue may be, and lets them have a longer one. */
export function boundQueues(server: OPCUAServer, { queueSize }: ServerLimits): void {
  server.on('request', (request) => {
    const { itemsToCreate, itemsToModify } = request as WatchRequest;
    for (const { requestedParameters } of [...(itemsToCreate ?? []), ...(itemsToModify ?? [])])
      requestedParameters.queueSize = Math.min(requestedParameters.queueSize, queueSize);
  });
}

/** Zero means: as much as you like. */
function limited(asked: number, limit: number): number {
  return asked === 0 ? limit : Math.min(asked, limit);
}
