/** exec over a WebSocket, as upstream's own tests do it: binary messages, the first byte names the stream. */
import { WebSocket } from 'ws';
import type { TestClient } from '../security/client.ts';

export interface ExecAnswer {
  readonly stdout: string;
  readonly stderr: string;
  /** The Status that comes at the end. */
  readonly status: { readonly status?: string; readonly reason?: string; readonly message?: string };
}

/** Collects every message until the server closes, or until one is the last that is wanted. */
export function readMessages(
  http: TestClient,
  path: string,
  protocol: string,
  isLast: (message: Buffer) => boolean = () => false,
): Promise<readonly Buffer[]> {
  const socket = new WebSocket(`${http.server.replace('https', 'wss')}${path}`, protocol, http.tls);
  const messages: Buffer[] = [];
  return new Promise((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      messages.push(data);
      if (isLast(data)) socket.close();
    });
    socket.on('close', () => resolve(messages));
    socket.on('error', reject);
    socket.on('unexpected-response', (_request, response) => {
      response.setEncoding('utf8').on('data', (text: string) => reject(new Error(`${response.statusCode}: ${text}`)));
    });
  });
}

export async function execOver(http: TestClient, path: string): Promise<ExecAnswer> {
  const messages = await readMessages(http, path, 'v5.channel.k8s.io');
  const of = (channel: number) => messages.filter(([first]) => first === channel).map((message) => message.subarray(1));
  return {
    stdout: Buffer.concat(of(1)).toString(),
    stderr: Buffer.concat(of(2)).toString(),
    status: JSON.parse(Buffer.concat(of(3)).toString() || '{}') as ExecAnswer['status'],
  };
}
