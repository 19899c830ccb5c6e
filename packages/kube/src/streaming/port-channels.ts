/**
 * port-forward as WebSocket clients without SPDY know it: for each port a channel of data and one of errors, whose first message
 * is the port. One connection to the pod a port.
 */
import type { WebSocket } from 'ws';
import { messagesOf, sendMessage } from './byte-channel.ts';
import type { MessageStream, NodeDialer, RawUpgrade, UpgradeTarget } from './contract.ts';
import { acceptWebSocket, badRequest, refuse, statusOf } from './handshake.ts';

export const CHANNEL_PROTOCOL = 'v4.channel.k8s.io';
const MAX_PORTS = 64;
const MAX_MESSAGE_BYTES = 32 * 1024;

type ForwardTarget = Extract<UpgradeTarget, { kind: 'portforward' }>;

interface Connection {
  readonly socket: WebSocket;
  readonly target: ForwardTarget;
  readonly dialer: NodeDialer;
  readonly signal: AbortSignal;
}

export async function servePortChannels(raw: RawUpgrade, target: ForwardTarget, dialer: NodeDialer): Promise<void> {
  const { ports } = target;
  if (ports.length === 0 || ports.length > MAX_PORTS || !ports.every(isPort)) {
    refuse(raw, badRequest(`query parameter "ports" must name 1 to ${MAX_PORTS} ports from 1 to 65535`));
    return;
  }
  const socket = await acceptWebSocket(raw, CHANNEL_PROTOCOL);
  const leaving = new AbortController();
  const connection = { socket, target, dialer, signal: leaving.signal };
  const streams: (MessageStream | undefined)[] = [];
  const fed = feed(socket, streams).finally(() => leaving.abort());
  await Promise.all(ports.map((port, index) => forward(connection, port, index, streams)));
  socket.close(1000);
  await fed;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}

async function forward(
  { socket, target, dialer, signal }: Connection,
  port: number,
  index: number,
  streams: (MessageStream | undefined)[],
): Promise<void> {
  const { node, namespace, pod } = target;
  const [data, error] = [2 * index, 2 * index + 1];
  const say = (channel: number, bytes: Uint8Array) => sendMessage(socket, Buffer.concat([Buffer.of(channel), bytes]));
  try {
    for (const channel of [data, error]) await say(channel, Buffer.of(port & 0xff, port >> 8));
    const stream = await dialer.open(node, { kind: 'portforward', namespace, pod, port }, signal);
    streams[index] = stream;
    for await (const bytes of stream.incoming) await say(data, bytes);
  } catch (cause) {
    const text = `error forwarding port ${port} to pod ${pod}: ${statusOf(cause).message}`;
    await say(error, Buffer.from(text)).catch(() => {});
  }
}

/** What the client sends, to the connection of its channel; until it leaves. */
async function feed(socket: WebSocket, streams: readonly (MessageStream | undefined)[]): Promise<void> {
  for await (const message of messagesOf(socket)) {
    const stream = (message[0] ?? 1) % 2 === 0 ? streams[(message[0] ?? 0) / 2] : undefined;
    for (let offset = 1; offset < message.length; offset += MAX_MESSAGE_BYTES) {
      await stream?.send(message.subarray(offset, offset + MAX_MESSAGE_BYTES)).catch(() => {});
    }
  }
  for (const stream of streams) stream?.abort('the client is gone');
}
