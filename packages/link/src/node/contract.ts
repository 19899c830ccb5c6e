/** What the runners of both sides take and give. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type { Clock, Logger } from '@skerry/base';
import type {
  BlobDoor,
  LinkBlob,
  LinkStream,
  OutboxSink,
  OutboxSource,
  StateFeed,
  StateReplica,
  StreamHandler,
} from '../contract.ts';

/** The session number, durable. `load` gives 0 when there is none. Joining a node anew must set it back to 0 on both sides. */
export interface EdgeSessionNumbers {
  load(): number;
  /** Resolves once it is on disk. */
  store(sessionNumber: number): Promise<void>;
}

export interface HubSessionNumbers {
  load(node: string): Promise<number>;
  store(node: string, sessionNumber: number): Promise<void>;
}

/** Read again for each connection, so that a renewed certificate is used from then on. */
export interface LinkTls {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  readonly ca: string | Buffer;
  /** How the hub's certificate must look beyond its chain; default: its names hold the endpoint's host. */
  readonly checkServerIdentity?: ConnectionOptions['checkServerIdentity'];
}

export interface EdgeLinkOptions {
  /** Host and port of each way to the cloud, best first; `HOST:PORT` or `[v6]:PORT`. Read again at each dial. */
  readonly endpoints: () => readonly string[];
  readonly tls: () => LinkTls;
  readonly node: string;
  readonly replica: StateReplica;
  readonly outbox: OutboxSource;
  /** Answers streams that the cloud opens. */
  readonly streamHandler: StreamHandler;
  readonly sessionNumbers: EdgeSessionNumbers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
  readonly options?: {
    readonly heartbeatMs?: number;
    /** Paths to keep at the same time; 1 is the active path alone. */
    readonly paths?: number;
    /** The name checked against the cloud's certificate, when it is not the endpoint's host. */
    readonly serverName?: string;
    /** Where the hub listens for links; default `/link`. */
    readonly urlPath?: string;
  };
}

/** Why the hub does not let this edge in. `certificate`: ended, or not begun; a renewed one may do. */
export type RefusalCode = 'busy' | 'certificate' | 'copy' | 'revoked' | 'version' | 'other';

export interface EdgeLinkStatus {
  readonly connected: boolean;
  /** The session is level with the cloud's state. */
  readonly current: boolean;
  readonly sessionNumber: number;
  readonly activePath?: string;
  readonly paths: readonly { readonly endpoint: string; readonly active: boolean; readonly rttMs?: number }[];
  readonly rttMs?: number;
  /** The last refusal; gone once connected. */
  readonly refused?: { readonly code: RefusalCode; readonly text: string };
  /** Why the last connection failed or ended, for a person. */
  readonly lastError?: string;
}

export interface BlobOptions {
  /** The first byte that is wanted; default 0. */
  readonly offset?: number;
  readonly signal?: AbortSignal;
}

export interface EdgeLink {
  start(): void;
  /** Says goodbye and closes every path. */
  stop(): Promise<void>;
  status(): EdgeLinkStatus;
  /** Opens a stream to the cloud; rejects with LINK_STREAM_REFUSED when the hub's handler refuses. */
  openStream(header: Uint8Array, signal?: AbortSignal): Promise<LinkStream>;
  /** Asks the cloud for a blob, or the rest of one; rejects with LINK_BLOB_REFUSED when the cloud has no such blob for this node. */
  openBlob(request: Uint8Array, options?: BlobOptions): Promise<LinkBlob>;
  /** Calls back after each change of the status; the returned function unsubscribes. */
  onStatus(callback: (status: EdgeLinkStatus) => void): () => void;
  /** Dial at once instead of waiting for the backoff: the network came back, or the certificate was renewed. */
  retryNow(): void;
}

/** A comer with the certificate of a node that is, or has been, somebody else. */
export interface CopySuspicion {
  readonly node: string;
  /** `live-session`: the session that holds the number answered. `old-number`: the number was handed out before the last one. */
  readonly kind: 'live-session' | 'old-number';
  readonly comerAddress: string;
  readonly holderAddress?: string;
  readonly comerNumber: number;
  readonly currentNumber: number;
}

export interface HubOptions {
  readonly feed: StateFeed;
  readonly sink: OutboxSink;
  /** Answers streams that edges open; without it they are refused. */
  readonly streamHandler?: (node: string, header: Uint8Array, stream: LinkStream, signal: AbortSignal) => Promise<void>;
  /** Finds the blobs that edges ask for; without it they are refused. */
  readonly blobs?: BlobDoor;
  /** Asked for each connection, after the listener has verified the certificate. */
  readonly authorize: (node: string, request: IncomingMessage) => 'allow' | 'revoked' | Promise<'allow' | 'revoked'>;
  readonly sessionNumbers: HubSessionNumbers;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onCopy?: (suspicion: CopySuspicion) => void;
  /** A session opened, became level with the cloud, or ended. */
  readonly onSession?: (node: string, state: 'open' | 'current' | 'closed') => void;
  readonly options?: {
    readonly admissionPerSecond?: number;
    /** What blobs take at most, of each node's link and in all; default: BLOB_NODE_BYTES_PER_SECOND, BLOB_HUB_BYTES_PER_SECOND. */
    readonly blobBytesPerSecond?: number;
    readonly allBlobBytesPerSecond?: number;
  };
}

export interface HubSessionInfo {
  readonly node: string;
  readonly sessionNumber: number;
  readonly connected: boolean;
  readonly current: boolean;
  readonly address: string;
  readonly paths: number;
  readonly streams: number;
}

export interface Hub {
  /** Takes over an upgrade request; `node` is what the listener read in the certificate, never what the request says. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, node: string): void;
  /** Rejects with LINK_NOT_CONNECTED, LINK_STREAM_REFUSED, LINK_TOO_MANY_STREAMS or LINK_OPEN_TIMEOUT. */
  openStream(node: string, header: Uint8Array, signal?: AbortSignal): Promise<LinkStream>;
  sessions(): IterableIterator<HubSessionInfo>;
  session(node: string): HubSessionInfo | undefined;
  /** Ends the node's session at once: revoked, deleted. */
  closeNode(node: string, reason: string): void;
  /** Closes every session; edges come back by themselves. */
  stop(): Promise<void>;
}
