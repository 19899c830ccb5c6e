/** The registry of images: a listener of its own before our storage or another registry's, under the policy of the API. */
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import { formatHostPort, type HostPort, listenAt } from '@skerry/base/flags';
import type { Client } from '@skerry/kube/client';
import type { TlsMaterial } from '@skerry/kube/server';
import { formatKey } from '@skerry/kube/store';
import type { Backend, RegistryAccess } from '@skerry/workloads/registry';
import type { Ground } from './ground.ts';

export interface RegistryParts extends Ground {
  readonly client: Client;
  readonly tls: TlsMaterial;
}

export interface RunningRegistry extends AsyncDisposable {
  /** As images of it are named: `HOST:PORT`. */
  readonly address: string;
  setTls(tls: TlsMaterial): void;
}

const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };
const FACTS = { namespace: 'kube-public', name: 'skerry-registry' };

/** Undefined where it is turned off. */
export async function startRegistry(parts: RegistryParts): Promise<RunningRegistry | undefined> {
  const { flags, names, pki, clock, log, audit, tls, client } = parts;
  const at = addressOf(flags);
  if (at === undefined) {
    await withdraw(client);
    return undefined;
  }
  await using stack = new AsyncDisposableStack();
  const { listenRegistry } = await import('@skerry/workloads/registry');
  const backend = await backendOf(parts, stack);
  const flag = flags['registry-listen'] === undefined ? 'listen' : 'registry-listen';
  const listener = stack.adopt(
    await listenAt(flag, at, () => listenRegistry({ ...at, tls, access: accessOf(parts), backend, audit, clock, log })),
    (opened) => opened.close(),
  );
  const addresses = names.map((host) => formatHostPort({ host, port: listener.port }));
  await publish(client, { addresses: addresses.join(','), 'ca.crt': pki.caPem });
  const running = stack.move();
  return {
    address: formatHostPort({ ...at, port: listener.port }),
    setTls: (renewed) => listener.setTls(renewed),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function addressOf(flags: Ground['flags']): HostPort | undefined {
  const given = flags['registry-listen'];
  if (given === 'none') return undefined;
  return given ?? { host: flags.listen.host, port: flags.listen.port + 2 };
}

async function backendOf({ flags, paths, clock, log }: RegistryParts, stack: AsyncDisposableStack): Promise<Backend> {
  const { lazyRegistry, ownBackend, upstreamBackend } = await import('@skerry/workloads/registry');
  const url = flags['registry-upstream'];
  if (url !== undefined) return stack.use(upstreamBackend({ url, log }));
  const registry = stack.use(lazyRegistry({ directory: paths.registry, clock, log }));
  return ownBackend(() => registry.open());
}

function accessOf({ access, store }: RegistryParts): RegistryAccess {
  return {
    authenticate: (credentials) => access.authenticator.authenticate(credentials),
    authorize: (attributes) => access.authorizer.authorize(attributes),
    isNamespace: (name) =>
      store.get(formatKey({ group: '', resource: 'namespaces', namespace: '', name })) !== undefined,
  };
}

/** Where images are pushed to, for `skerry registry` and everybody else. */
async function publish(client: Client, data: Readonly<Record<string, string>>): Promise<void> {
  const wanted: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: FACTS, data };
  try {
    await client.create(CONFIG_MAPS, wanted);
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
    await client.update(CONFIG_MAPS, wanted);
  }
}

async function withdraw(client: Client): Promise<void> {
  try {
    await client.delete({ gvr: CONFIG_MAPS, ...FACTS });
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
  }
}
