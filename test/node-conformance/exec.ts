/** exec over a WebSocket, as upstream's own tests do it: binary messages, the first byte names the stream. */
import { WebSocket } from 'ws';
import type { TestClient } from '../security/client.ts';

export interface ExecAnswer {
  readonly stdout: string;
  readonly stderr: string;
  /** The Status that comes at the end. */
  readonly status: { readonly status?: string; readonly reason?: string; readonly message?: string };
}

/** Collects every message until the server closes, by the byte that each begins with. */
function readChannels(http: TestClient, path: string, protocol: string): Promise<ReadonlyMap<number, string>> {
  const socket = new WebSocket(`${http.server.replace('https', 'wss')}${path}`, protocol, http.tls);
  const channels = new Map<number, string>();
  return new Promise((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      const [channel = 0] = data;
      channels.set(channel, (channels.get(channel) ?? '') + data.subarray(1).toString());
    });
    socket.on('close', () => resolve(channels));
    socket.on('error', reject);
    socket.on('unexpected-response', (_request, response) => {
      response.setEncoding('utf8').on('data', (text: string) => reject(new Error(`${response.statusCode}: ${text}`)));
    });
  });
}

export async function execOver(http: TestClient, path: string): Promise<ExecAnswer> {
  const channels = await readChannels(http, path, 'v5.channel.k8s.io');
  return {
    stdout: channels.get(1) ?? '',
    stderr: channels.get(2) ?? '',
    status: JSON.parse(channels.get(3) || '{}') as ExecAnswer['status'],
  };
}
