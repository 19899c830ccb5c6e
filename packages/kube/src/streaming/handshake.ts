/** The moment of taking a connection over: refuse it with a Status, or answer 101 in the protocol the client asked for. */
import { type Status, StatusError } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { type WebSocket, WebSocketServer } from 'ws';
import { endRefused } from '../server/http-refusal.ts';
import type { RawUpgrade } from './contract.ts';

/** The largest WebSocket message taken from a client; larger ones close the connection with 1009. */
const MAX_WEBSOCKET_MESSAGE_BYTES = 1024 * 1024;

export function isWebSocket({ message }: RawUpgrade): boolean {
  return message.headers.upgrade?.toLowerCase() === 'websocket';
}

export function isSpdy({ message }: RawUpgrade): boolean {
  return message.headers.upgrade?.toLowerCase() === 'spdy/3.1';
}

/** The first of our protocols that the client offers too. */
export function pickProtocol(offered: string | string[] | undefined, ours: readonly string[]): string | undefined {
  const list = (Array.isArray(offered) ? offered : [offered ?? '']).flatMap((line) =>
    line.split(',').map((name) => name.trim()),
  );
  return ours.find((protocol) => list.includes(protocol));
}

/** Completes the WebSocket handshake. Without a protocol none is confirmed, which clients that offered none expect. */
export function acceptWebSocket({ message, socket, head }: RawUpgrade, protocol?: string): Promise<WebSocket> {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
    handleProtocols: () => protocol ?? false,
  });
  // The names of Kubernetes' tunnels have a slash, which is no token (RFC 6455 §4.1), and ws would refuse the whole handshake.
  if (protocol?.includes('/') === true) message.headers['sec-websocket-protocol'] = 'tunnel';
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    server.handleUpgrade(message, socket, head, (accepted) => {
      socket.off('error', reject);
      accepted.on('error', () => {});
      resolve(accepted);
    });
  });
}

/** Answers the switch to SPDY/3.1. */
export function acceptSpdy({ socket }: RawUpgrade, protocol: string): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
}

/** Answers with the error's Status and ends the connection: the client prints its message. */
export function refuse({ socket }: RawUpgrade, error: unknown): void {
  const status = statusOf(error);
  const body = JSON.stringify(status);
  const head = `HTTP/1.1 ${status.code ?? 500} ${status.reason ?? 'InternalError'}\r\nContent-Type: application/json\r\n`;
  endRefused(socket, `${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}

export function badRequest(problem: string): StatusError {
  return new StatusError(400, 'BadRequest', problem);
}

export function statusOf(error: unknown): Status {
  return error instanceof StatusError ? error.status : new StatusError(500, 'InternalError', messageOf(error)).status;
}
