/** exec and attach: joins a client's channels (WebSocket v1, v4 or v5, or SPDY streams) with the node's message stream. */

import { messagesOf, sendMessage, socketChannel } from './byte-channel.ts';
import { Channel, type MessageStream, type NodeDialer, type RawUpgrade, type UpgradeTarget } from './contract.ts';
import { acceptSpdy, acceptWebSocket, badRequest, isSpdy, isWebSocket, pickProtocol, refuse } from './handshake.ts';
import { type SpdyStream, serveSpdy } from './spdy/connection.ts';

const V5 = 'v5.channel.k8s.io';
const V4 = 'v4.channel.k8s.io';
/** The first of them, which clients without a library still speak: no status but the text of a failure. */
const V1 = 'channel.k8s.io';
const MAX_MESSAGE_BYTES = 32 * 1024;
/** How long a SPDY client may take to open the streams it announced. */
const STREAMS_TIMEOUT_MS = 30_000;

type ExecTarget = Extract<UpgradeTarget, { kind: 'exec' }>;

/** Serves one exec or attach until both sides are done. A node that refuses is answered before the protocols switch. */
export async function serveExec(raw: RawUpgrade, target: ExecTarget, dialer: NodeDialer): Promise<void> {
  const overWebSocket = isWebSocket(raw);
  const offered = overWebSocket
    ? raw.message.headers['sec-websocket-protocol']
    : raw.message.headers['x-stream-protocol-version'];
  // SPDY has no v5: the half-close that v5 adds is a plain FIN there.
  const protocol = pickProtocol(offered, overWebSocket ? [V5, V4, V1] : [V4]);
  if (protocol === undefined || (!overWebSocket && !isSpdy(raw))) {
    refuse(raw, badRequest(`unable to upgrade: the streaming protocol must be ${V5} or ${V4}`));
    return;
  }
  const abort = new AbortController();
  raw.socket.once('close', () => abort.abort());
  let stream: MessageStream;
  try {
    stream = await dialer.open(target.node, target.request, abort.signal);
  } catch (error) {
    refuse(raw, error);
    return;
  }
  if (overWebSocket) await joinWebSocket(raw, protocol, stream);
  else await joinSpdy(raw, protocol, target, stream);
}

async function joinWebSocket(raw: RawUpgrade, protocol: string, stream: MessageStream): Promise<void> {
  const socket = await acceptWebSocket(raw, protocol);
  const up = forward(messagesOf(socket), stream);
  try {
    for await (const message of stream.incoming) {
      const said = protocol === V1 ? withoutStatus(message) : message;
      if (said !== undefined) await sendMessage(socket, said);
    }
    socket.close(1000);
  } catch {
    socket.close(1011);
  }
  await up;
}

/** A failure is told in words, a success not at all. */
function withoutStatus(message: Uint8Array): Uint8Array | undefined {
  if (message[0] !== Channel.error) return message;
  const status = JSON.parse(Buffer.from(message.subarray(1)).toString()) as { status?: string; message?: string };
  return status.status === 'Success' ? undefined : onChannel(Channel.error, Buffer.from(status.message ?? ''));
}

/** The client's messages to the node, in pieces that the stream takes. A client that is gone ends the session there. */
async function forward(messages: AsyncIterable<Uint8Array>, stream: MessageStream): Promise<void> {
  try {
    for await (const message of messages) {
      if (message.length > 0) await sendPieces(stream, message[0] ?? 0, message.subarray(1));
    }
    stream.abort('the client is gone');
  } catch {
    stream.abort('the client is gone');
  }
}

async function sendPieces(stream: MessageStream, channel: number, payload: Uint8Array): Promise<void> {
  const room = MAX_MESSAGE_BYTES - 1;
  for (let offset = 0; offset === 0 || offset < payload.length; offset += room) {
    await stream.send(onChannel(channel, payload.subarray(offset, offset + room)));
  }
}

function onChannel(channel: number, payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(payload.length + 1);
  message[0] = channel;
  message.set(payload, 1);
  return message;
}

const CHANNEL_BY_TYPE: Readonly<Record<string, number>> = {
  stdin: Channel.stdin,
  stdout: Channel.stdout,
  stderr: Channel.stderr,
  error: Channel.error,
  resize: Channel.resize,
};

async function joinSpdy(raw: RawUpgrade, protocol: string, target: ExecTarget, node: MessageStream): Promise<void> {
  acceptSpdy(raw, protocol);
  const channel = socketChannel(raw.socket, raw.head);
  const streams = new Map<number, SpdyStream>();
  const wanted = channelsWanted(target);
  let started: Promise<void> | undefined;
  const onStream = (stream: SpdyStream) => {
    streams.set(CHANNEL_BY_TYPE[stream.headers['streamtype'] ?? ''] ?? -1, stream);
    if (started === undefined && wanted.every((each) => streams.has(each)))
      started = pump(streams, node).finally(() => channel.end());
  };
  const timer = setTimeout(() => {
    if (started === undefined) channel.destroy();
  }, STREAMS_TIMEOUT_MS);
  try {
    await serveSpdy({ channel, onStream });
  } catch {
    channel.destroy();
  } finally {
    clearTimeout(timer);
    node.abort('the client is gone');
    await started;
  }
}

function channelsWanted({ request }: ExecTarget): readonly number[] {
  const wanted: number[] = [Channel.error];
  if (request.stdin) wanted.push(Channel.stdin);
  if (request.stdout) wanted.push(Channel.stdout);
  if (request.stderr && !request.tty) wanted.push(Channel.stderr);
  if (request.tty) wanted.push(Channel.resize);
  return wanted;
}

/** Moves bytes both ways between the client's SPDY streams and the node's channels until the node is done. */
async function pump(streams: ReadonlyMap<number, SpdyStream>, node: MessageStream): Promise<void> {
  for (const channel of [Channel.stdin, Channel.resize]) {
    const stream = streams.get(channel);
    if (stream !== undefined) void pumpUp(stream, channel, node);
  }
  try {
    for await (const message of node.incoming) await streams.get(message[0] ?? -1)?.send(message.subarray(1));
    await Promise.all([...streams.values()].map((stream) => stream.end()));
  } catch {
    await Promise.allSettled([...streams.values()].map((stream) => stream.reset()));
  }
}

async function pumpUp(stream: SpdyStream, channel: number, node: MessageStream): Promise<void> {
  try {
    for await (const bytes of stream.incoming) await sendPieces(node, channel, bytes);
    if (channel === Channel.stdin) await node.send(Uint8Array.of(Channel.close, Channel.stdin));
  } catch {
    // The node ended first: what the client still types has no reader.
  }
}
