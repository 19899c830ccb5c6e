/** The door of a worker, for other processes of the node: a gateway, a broker. */
import { type IncomingMessage, request as openRequest } from 'node:http';
import { DriverError, type DriverErrorKind } from '../driver-error.ts';
import type { DeviceDoor, WriteOutcomes } from './door.ts';

export interface DoorClientOptions {
  /** Where the worker serves live values. */
  readonly socketPath: string;
  readonly token: string;
}

export function doorOver(options: DoorClientOptions): DeviceDoor {
  return {
    write: async (request, signal) => (await post(options, '/write', request, signal)) as WriteOutcomes,
    call: async (request, signal) => {
      const { output = {}, error } = (await post(options, '/call', request, signal)) as CallAnswer;
      if (error !== undefined) throw new DriverError(error.kind, error.message);
      return output;
    },
  };
}

interface CallAnswer {
  readonly output?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly kind: DriverErrorKind; readonly message: string };
}

async function post(
  { socketPath, token }: DoorClientOptions,
  path: string,
  body: object,
  signal: AbortSignal,
): Promise<unknown> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const asked = openRequest({ socketPath, path, method: 'POST', headers, signal }, resolve);
    asked.once('error', reject);
    asked.end(JSON.stringify(body));
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of response as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  if (response.statusCode !== 200) throw new DriverError('Rejected', `the worker answered ${response.statusCode}`);
  return JSON.parse(text);
}
