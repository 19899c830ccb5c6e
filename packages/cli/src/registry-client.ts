/** Speaks to the cloud's registry with the credentials of a kubeconfig. */
import { type RequestOptions, request } from 'node:https';
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { parseHostPort } from '@skerry/base/flags';
import type { HttpClient } from '@skerry/kube/client';
import { type ConnectionFlags, connect, findCloud } from './connection.ts';
import { type CliContext, cliErrors } from './context.ts';

/** Where the registry is, as the cloud itself publishes it. */
export interface RegistryFacts {
  /** `HOST:PORT` each, with which names of images begin; the first is the one to use. */
  readonly addresses: readonly string[];
  readonly ca: string;
}

export interface RegistryReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

export interface RegistryClient extends Disposable {
  readonly facts: RegistryFacts;
  readonly client: HttpClient;
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
  const facts = await readFacts(client);
  // Whoever reaches the API under some name reaches the registry under the same one.
  const { hostname } = new URL(connection.server);
  const { port } = parseHostPort(facts.addresses[0] ?? '');
  const token = typeof connection.token === 'function' ? connection.token() : connection.token;
  const { cert, key } = connection;
  const base = { hostname: hostname.replace(/^\[|\]$/g, ''), port, ca: facts.ca, cert, key, timeout: TIMEOUT_MS };
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return {
    facts,
    client,
    ask: async (method, path, headers = {}) => {
      const reply = await send({ ...base, method, path, headers: { ...authorization, ...headers } });
      if (reply.status < 400) return reply;
      throw cliErrors.REGISTRY_REFUSED({ path, reason: refusalIn(reply) });
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

async function readFacts(client: HttpClient): Promise<RegistryFacts> {
  try {
    const ref = { gvr: CONFIG_MAPS, namespace: 'kube-public', name: 'skerry-registry' };
    const data = ((await client.get<KubeObject>(ref))['data'] ?? {}) as Record<string, string>;
    return { addresses: (data['addresses'] ?? '').split(','), ca: data['ca.crt'] ?? '' };
  } catch (cause) {
    if (!isStatus(cause, 'NotFound')) throw cause;
    throw cliErrors.NO_REGISTRY({}, { cause });
  }
}

function send(options: RequestOptions): Promise<RegistryReply> {
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
    asked.on('error', reject).end();
  }).catch((cause: unknown) => {
    throw cliErrors.REGISTRY_REFUSED({ path: String(options.path), reason: messageOf(cause) }, { cause });
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
