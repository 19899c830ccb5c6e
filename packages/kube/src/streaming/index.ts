/** Connections that stop being HTTP: exec, attach, port-forward and watches over WebSocket. */
import { type Logger, messageOf } from '@skerry/base';
import type { NodeDialer, UpgradeHandler } from './contract.ts';
import { serveExec } from './exec.ts';
import { serveLog } from './log-socket.ts';
import { servePortForward } from './port-forward.ts';
import { serveWatch } from './watch-socket.ts';

export { socketChannel } from './byte-channel.ts';
export {
  Channel,
  MAX_STREAM_MESSAGE_BYTES,
  type MessageStream,
  type NodeDialer,
  type NodeStreamHandler,
  type NodeStreamRequest,
  type RawUpgrade,
  type UpgradeHandler,
  type UpgradeTarget,
} from './contract.ts';
export { refuse as refuseUpgrade } from './handshake.ts';
export { connectSpdy, type SpdyClient, type SpdyStream } from './spdy/connection.ts';

export { type StreamPair, streamPair } from './stream-pair.ts';

export interface UpgradesOptions {
  readonly dialer: NodeDialer;
  readonly log: Logger;
}

/** The handler that the API server gives authorized upgrades to. */
export function createUpgradeHandler({ dialer, log }: UpgradesOptions): UpgradeHandler {
  return async (raw, target) => {
    try {
      if (target.kind === 'exec') await serveExec(raw, target, dialer);
      else if (target.kind === 'portforward') await servePortForward(raw, target, dialer);
      else if (target.kind === 'log') await serveLog(raw, target);
      else await serveWatch(raw, target);
    } catch (error) {
      log.warn({ kind: target.kind, error: messageOf(error) }, 'streaming connection broke');
      raw.socket.destroy();
    }
  };
}
