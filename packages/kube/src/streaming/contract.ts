/** Streams to what runs on a node. The API server opens them by node name; the link, or the node itself, answers. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** What is asked of a pod on a node. */
export type NodeStreamRequest =
  | {
      readonly kind: 'log';
      readonly namespace: string;
      readonly pod: string;
      readonly container: string;
      readonly follow?: boolean;
      readonly previous?: boolean;
      readonly timestamps?: boolean;
      readonly tailLines?: number;
      readonly limitBytes?: number;
      readonly sinceSeconds?: number;
      /** RFC 3339. */
      readonly sinceTime?: string;
    }
  | {
      readonly kind: 'exec' | 'attach';
      readonly namespace: string;
      readonly pod: string;
      readonly container: string;
      /** For `exec` only. */
      readonly command: readonly string[];
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly tty: boolean;
    }
  | { readonly kind: 'portforward'; readonly namespace: string; readonly pod: string; readonly port: number }
  /** An HTTP GET of the agent's own endpoints: `/metrics`, `/stats/summary`, `/pods`. */
  | { readonly kind: 'get'; readonly path: string }
  /** An HTTP POST to what runs on the node for the agent; the body comes first, up to its end. */
  | { readonly kind: 'post'; readonly path: string };

/**
 * Channels of exec and attach, as in Kubernetes' `v5.channel.k8s.io`: the first byte of each message.
 * `log`, `portforward`, `get` and `post` streams have no channels: their messages are the bytes themselves.
 */
export const Channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** A full-duplex stream of messages with back-pressure both ways. */
export interface MessageStream {
  /** Resolves when the peer has room for more; rejects once the stream is gone. */
  send(message: Uint8Array): Promise<void>;
  /** Messages from the peer; ends at its end, throws when the stream broke. One consumer. */
  readonly incoming: AsyncIterable<Uint8Array>;
  /** On an answered stream: takes it now, before the first message goes either way. Reading, sending and ending take it too. */
  accept?(): void;
  /** No more messages from here; the other direction stays open. */
  end(): void;
  /** Ends both directions at once; the peer sees the text. */
  abort(reason: string): void;
  /** Resolves when both directions have ended, however. */
  readonly closed: Promise<void>;
}

/** The largest message either side may send, in bytes. */
export const MAX_STREAM_MESSAGE_BYTES = 32 * 1024;

export interface NodeDialer {
  /** Rejects with a StatusError: 404 no such pod or container, 503 node not connected, 400 container not running. */
  open(node: string, request: NodeStreamRequest, signal: AbortSignal): Promise<MessageStream>;
}

/** The node's side: answers what the dialer asked. Rejecting with a StatusError refuses the stream with that Status. */
export type NodeStreamHandler = (
  request: NodeStreamRequest,
  stream: MessageStream,
  signal: AbortSignal,
) => Promise<void>;

type ExecRequest = Extract<NodeStreamRequest, { kind: 'exec' | 'attach' }>;

/** What a client that asked for an upgrade is to be joined with. The API server has authorized it and picked node and container. */
export type UpgradeTarget =
  | { readonly kind: 'exec'; readonly node: string; readonly request: ExecRequest }
  | {
      readonly kind: 'portforward';
      readonly node: string;
      readonly namespace: string;
      readonly pod: string;
      /** Those a WebSocket with channels is for; SPDY names the port with each connection. */
      readonly ports: readonly number[];
    }
  /** A log over WebSocket: its bytes as they come. */
  | { readonly kind: 'log'; readonly bytes: AsyncIterable<Uint8Array> }
  /** A watch over WebSocket: each line becomes one text frame. */
  | { readonly kind: 'watch'; readonly lines: AsyncIterable<string | Uint8Array> };

/** The connection as the HTTP server gives it up. */
export interface RawUpgrade {
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Speaks WebSocket or SPDY with the client until either side ends. Resolves then; never rejects. */
export type UpgradeHandler = (raw: RawUpgrade, target: UpgradeTarget) => Promise<void>;
