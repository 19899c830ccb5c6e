/** port-forward: SPDY/3.1 raw or tunnelled in a WebSocket (KEP-4006); each pair of error and data streams is one connection to the pod. */

import { type ByteChannel, socketChannel, webSocketChannel } from './byte-channel.ts';
import type { MessageStream, NodeDialer, RawUpgrade, UpgradeTarget } from './contract.ts';
import {
  acceptSpdy,
  acceptWebSocket,
  badRequest,
  isSpdy,
  isWebSocket,
  pickProtocol,
  refuse,
  statusOf,
} from './handshake.ts';
import { CHANNEL_PROTOCOL, servePortChannels } from './port-channels.ts';
import { type SpdyStream, serveSpdy } from './spdy/connection.ts';

const PROTOCOL = 'portforward.k8s.io';
const TUNNEL_PROTOCOL = `SPDY/3.1+${PROTOCOL}`;
const MAX_MESSAGE_BYTES = 32 * 1024;

type ForwardTarget = Extract<UpgradeTarget, { kind: 'portforward' }>;

/** Serves every forwarded connection of one `kubectl port-forward` until the client leaves. */
export async function servePortForward(raw: RawUpgrade, target: ForwardTarget, dialer: NodeDialer): Promise<void> {
  if (isWebSocket(raw) && offers(raw, CHANNEL_PROTOCOL)) return servePortChannels(raw, target, dialer);
  const channel = await acceptChannel(raw);
  if (channel === undefined) return;
  const abort = new AbortController();
  const halves = new Map<string, { data?: SpdyStream; error?: SpdyStream }>();
  const onStream = (stream: SpdyStream) => {
    const type = stream.headers['streamtype'];
    if (type !== 'data' && type !== 'error') return void stream.reset().catch(() => {});
    const key = `${stream.headers['port']}/${stream.headers['requestid'] ?? ''}`;
    const pair = { ...halves.get(key), [type]: stream };
    const { data, error } = pair;
    if (data === undefined || error === undefined) return void halves.set(key, pair);
    halves.delete(key);
    return void forwardConnection({ data, error, target, dialer, signal: abort.signal });
  };
  try {
    await serveSpdy({ channel, onStream });
  } catch {
    channel.destroy();
  } finally {
    abort.abort();
  }
}

function offers({ message }: RawUpgrade, protocol: string): boolean {
  return pickProtocol(message.headers['sec-websocket-protocol'], [protocol]) !== undefined;
}

async function acceptChannel(raw: RawUpgrade): Promise<ByteChannel | undefined> {
  if (isWebSocket(raw) && offers(raw, TUNNEL_PROTOCOL)) {
    return webSocketChannel(await acceptWebSocket(raw, TUNNEL_PROTOCOL));
  }
  if (isSpdy(raw) && pickProtocol(raw.message.headers['x-stream-protocol-version'], [PROTOCOL]) !== undefined) {
    acceptSpdy(raw, PROTOCOL);
    return socketChannel(raw.socket, raw.head);
  }
  refuse(
    raw,
    badRequest(`unable to upgrade: the streaming protocol must be ${TUNNEL_PROTOCOL}, or ${PROTOCOL} over SPDY/3.1`),
  );
  return undefined;
}

interface Forwarded {
  readonly data: SpdyStream;
  readonly error: SpdyStream;
  readonly target: ForwardTarget;
  readonly dialer: NodeDialer;
  readonly signal: AbortSignal;
}

async function forwardConnection({ data, error, target, dialer, signal }: Forwarded): Promise<void> {
  const { node, namespace, pod } = target;
  const port = Number(data.headers['port']);
  try {
    const stream = await dialer.open(node, { kind: 'portforward', namespace, pod, port }, signal);
    const up = pumpUp(data, stream);
    for await (const bytes of stream.incoming) await data.send(bytes);
    await data.end();
    await up;
  } catch (cause) {
    // kubectl prints whatever arrives on the error stream, and goes on with the next connection.
    const text = `error forwarding port ${port} to pod ${pod}: ${statusOf(cause).message}`;
    await Promise.allSettled([error.send(Buffer.from(text)), data.reset()]);
  } finally {
    await error.end().catch(() => {});
  }
}

async function pumpUp(data: SpdyStream, stream: MessageStream): Promise<void> {
  try {
    for await (const bytes of data.incoming) {
      for (let offset = 0; offset < bytes.length; offset += MAX_MESSAGE_BYTES) {
        await stream.send(bytes.subarray(offset, offset + MAX_MESSAGE_BYTES));
      }
    }
    stream.end();
  } catch {
    stream.abort('the client is gone');
  }
}
