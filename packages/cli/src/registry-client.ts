/** Speaks to the cloud's registry with the credentials of a kubeconfig. */
import { type RequestOptions, request } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { parseHostPort } from '@skerry/base/flags';
import type { HttpClient } from '@skerry/kube/client';
import { imageErrors } from '@skerry/workloads/images';
import type { AskRegistry } from '@skerry/workloads/images/archive';
import { type ConnectionFlags, connect, findCloud } from './connection.ts';
import { type CliContext, cliErrors } from './context.ts';

/** Where the registry is, as the cloud itself publishes it. */
export interface RegistryFacts {
  /** `HOST:PORT` each, with which names of images begin; the first is the one to use. */
  readonly addresses: readonly string[];
  readonly ca: string;
}

export type RegistryReply = Awaited<ReturnType<AskRegistry>>;

export interface RegistryClient extends Disposable {
  readonly facts: RegistryFacts;
  readonly client: HttpClient;
  /** One request with whatever it is answered. */
  readonly send: AskRegistry;
  /** Any answer that says no is thrown. */
  ask(method: string, path: string, headers?: Readonly<Record<string, string>>): Promise<RegistryReply>;
}

const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };
const TIMEOUT_MS = 600_000;
/** Lists come by pages, so nothing honest is longer. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;

export async function openRegistryClient(context: CliContext, flags: ConnectionFlags): Promise<RegistryClient> {
  const { connection } = await findCloud(context, flags);
  const client = await connect(context, flags);
  const facts = await readRegistryFacts(client);
  if (facts === undefined) throw cliErrors.NO_REGISTRY();
  // Whoever reaches the API under some name reaches the registry under the same one.
  const { hostname } = new URL(connection.server);
  const { port } = parseHostPort(facts.addresses[0] ?? '');
  const token = typeof connection.token === 'function' ? connection.token() : connection.token;
  const { cert, key } = connection;
  const base = { hostname: hostname.replace(/^\[|\]$/g, ''), port, ca: facts.ca, cert, key, timeout: TIMEOUT_MS };
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const ask: AskRegistry = (method, path, { headers = {}, body } = {}) =>
    send({ ...base, method, path, headers: { ...authorization, ...headers } }, body);
  return {
    facts,
    client,
    send: ask,
    ask: async (method, path, headers = {}) => {
      const reply = await ask(method, path, { headers }).catch((cause: unknown) => {
        throw cliErrors.REGISTRY_REFUSED({ path, reason: messageOf(cause) }, { cause });
      });
      if (reply.status < 400) return reply;
      throw cliErrors.REGISTRY_REFUSED({ path, reason: refusalIn(reply) });
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

/** Undefined where the cloud serves no images. */
export async function readRegistryFacts(client: HttpClient): Promise<RegistryFacts | undefined> {
  try {
    const ref = { gvr: CONFIG_MAPS, namespace: 'kube-public', name: 'skerry-registry' };
    const data = ((await client.get<KubeObject>(ref))['data'] ?? {}) as Record<string, string>;
    return { addresses: (data['addresses'] ?? '').split(','), ca: data['ca.crt'] ?? '' };
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** Rejects with IMAGE_UNREACHABLE, after which a push goes on. */
function send(
  options: RequestOptions,
  body: Uint8Array | AsyncIterable<Uint8Array> | undefined,
): Promise<RegistryReply> {
  return new Promise<RegistryReply>((resolve, reject) => {
    const asked = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_REPLY_BYTES) asked.destroy(new Error('its answer has no end'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    asked.on('timeout', () => asked.destroy(new Error('it did not answer in time')));
    asked.on('error', reject);
    if (body === undefined || body instanceof Uint8Array) asked.end(body);
    else pipeline(Readable.from(body, { objectMode: false }), asked).catch(reject);
  }).catch((cause: unknown) => {
    throw imageErrors.UNREACHABLE({ where: 'the registry', problem: messageOf(cause) }, { cause });
  });
}

function refusalIn({ status, text }: RegistryReply): string {
  try {
    const { errors } = JSON.parse(text) as { readonly errors: readonly { readonly message: string }[] };
    return errors.map(({ message }) => message).join('; ');
  } catch {
    return `it answered ${status}`;
  }
}
