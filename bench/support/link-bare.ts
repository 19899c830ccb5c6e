/** A bare WebSocket server over mutual TLS: what the link is measured against. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Loopback } from '@skerry/link/testing';
import { credentialToPem, issueCredential, serverProfile, validFor, YEAR_MS } from '@skerry/security/pki';
import { WebSocketServer } from 'ws';

export interface BareServer {
  readonly endpoint: string;
  readonly webSockets: WebSocketServer;
  stop(): void;
}

/** Takes the clients that `cloud` takes. */
export async function startBareServer(cloud: Loopback): Promise<BareServer> {
  const now = Date.now();
  const names = { dns: ['localhost'], ips: ['127.0.0.1'], uris: [] };
  const profile = serverProfile({ names, validity: validFor(now, YEAR_MS) });
  const tls = { ...credentialToPem(issueCredential(cloud.authority, profile, { now })), ca: cloud.ca };
  const https = createServer({ ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' });
  const webSockets = new WebSocketServer({ server: https, perMessageDeflate: false });
  await new Promise<void>((resolve) => {
    https.listen(0, '127.0.0.1', resolve);
  });
  const stop = () => {
    for (const client of webSockets.clients) client.terminate();
    https.closeAllConnections();
    https.close();
  };
  return { endpoint: `127.0.0.1:${(https.address() as AddressInfo).port}`, webSockets, stop };
}
