/** A log over WebSocket: binary messages, or their base64 for clients that take nothing but text. */
import { sendMessage } from './byte-channel.ts';
import type { RawUpgrade, UpgradeTarget } from './contract.ts';
import { acceptWebSocket, badRequest, isWebSocket, pickProtocol, refuse } from './handshake.ts';

const BINARY = 'binary.k8s.io';
const BASE64 = 'base64.binary.k8s.io';

export async function serveLog(raw: RawUpgrade, target: Extract<UpgradeTarget, { kind: 'log' }>): Promise<void> {
  const iterator = target.bytes[Symbol.asyncIterator]();
  if (!isWebSocket(raw)) {
    await iterator.return?.();
    refuse(raw, badRequest('a log can only be upgraded to a WebSocket'));
    return;
  }
  const protocol = pickProtocol(raw.message.headers['sec-websocket-protocol'], [BINARY, BASE64]);
  const socket = await acceptWebSocket(raw, protocol);
  socket.once('close', () => void iterator.return?.());
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      await sendMessage(socket, protocol === BASE64 ? Buffer.from(next.value).toString('base64') : next.value);
    }
    socket.close(1000);
  } catch {
    socket.close(1011);
  }
}
