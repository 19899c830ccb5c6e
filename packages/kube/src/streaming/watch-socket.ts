/** A watch over WebSocket, as browsers use it: one text frame an event. */

import { sendMessage } from './byte-channel.ts';
import type { RawUpgrade, UpgradeTarget } from './contract.ts';
import { acceptWebSocket, badRequest, isWebSocket, pickProtocol, refuse } from './handshake.ts';

/** Clients offer these although the frames are text; a real API server confirms the first that it knows. */
const PROTOCOLS = ['base64.binary.k8s.io', 'binary.k8s.io'];

export async function serveWatch(raw: RawUpgrade, target: Extract<UpgradeTarget, { kind: 'watch' }>): Promise<void> {
  if (!isWebSocket(raw)) {
    refuse(raw, badRequest('a watch can only be upgraded to a WebSocket'));
    return;
  }
  const socket = await acceptWebSocket(raw, pickProtocol(raw.message.headers['sec-websocket-protocol'], PROTOCOLS));
  const iterator = target.lines[Symbol.asyncIterator]();
  socket.once('close', () => void iterator.return?.());
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      const text = typeof next.value === 'string' ? next.value : Buffer.from(next.value).toString();
      for (const line of text.split('\n')) if (line !== '') await sendMessage(socket, line);
    }
    socket.close(1000);
  } catch {
    socket.close(1011);
  }
}
