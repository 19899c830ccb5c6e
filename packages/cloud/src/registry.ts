/**
 * The cloud's side of images, put together: one store of content, before it the registry's own listener, or another registry's
 * storage, and the images of all registries for nodes. All under the policy of the API.
 */
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import type { Pod } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import { formatHostPort, type HostPort, listenAt } from '@skerry/base/flags';
import type { Client } from '@skerry/kube/client';
import type { TlsMaterial } from '@skerry/kube/server';
import { formatKey, keyPrefix, type Store } from '@skerry/kube/store';
import type { ImageRegistry, RegistryRules, RegistrySettings } from '@skerry/workloads/images';
import type { LazyRegistry, NamedImage, NodeImages, Registry, RegistryAccess } from '@skerry/workloads/registry';
import type { Ground } from './ground.ts';
import { follow } from './store-reader.ts';

export interface RegistryParts extends Ground {
  readonly client: Client;
  readonly tls: TlsMaterial;
  /** Is given the images once they are there. */
  readonly onImages: (images: NodeImages) => void;
}

export interface RunningRegistry extends AsyncDisposable {
  setTls(tls: TlsMaterial): void;
}

const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };
const FACTS = { namespace: 'kube-public', name: 'skerry-registry' };

export async function startRegistry(parts: RegistryParts): Promise<RunningRegistry> {
  const { flags, paths, names, pki, clock, log, audit, tls, client } = parts;
  const { lazyRegistry, listenRegistry, ownBackend, placeOf, upstreamBackend } = await import(
    '@skerry/workloads/registry'
  );
  await using stack = new AsyncDisposableStack();
  const access = accessOf(parts);
  const isNamespace = (name: string) => access.isNamespace(name);
  const namespaceOf = (repository: string) => placeOf(access, repository).namespace;
  const registry = stack.use(lazyRegistry({ directory: paths.registry, isNamespace, namespaceOf, clock, log }));
  stack.use(forgetWithNamespaces(parts, registry));
  const at = addressOf(flags);
  const url = flags['registry-upstream'];
  let listener: Awaited<ReturnType<typeof listenRegistry>> | undefined;
  if (at !== undefined) {
    const backend = url === undefined ? ownBackend(() => registry.open()) : stack.use(upstreamBackend({ url, log }));
    const flag = flags['registry-listen'] === undefined ? 'listen' : 'registry-listen';
    const listen = () => listenRegistry({ ...at, tls, access, backend, audit, clock, log });
    listener = stack.adopt(await listenAt(flag, at, listen), (opened) => opened.close());
  }
  const { port } = listener ?? {};
  const addresses = port === undefined ? [] : names.map((host) => formatHostPort({ host, port }));
  await publish(client, addresses, pki.caPem);
  parts.onImages(await openNodeImages(parts, { open: () => registry.open(), access, addresses }, stack));
  const running = stack.move();
  return {
    setTls: (renewed) => listener?.setTls(renewed),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Images go with the namespace they are in, as everything in it does. */
function forgetWithNamespaces({ store, log }: RegistryParts, registry: LazyRegistry): Disposable {
  const remove = ({ metadata: { name = '' } }: KubeObject) =>
    void registry
      .forget(name)
      .catch((error: unknown) => log.error({ namespace: name, error: messageOf(error) }, 'images of a namespace stay'));
  return follow(store, '', 'namespaces', { put: () => {}, remove });
}

/** Undefined where the listener is turned off. */
function addressOf(flags: Ground['flags']): HostPort | undefined {
  const given = flags['registry-listen'];
  if (given === 'none') return undefined;
  return given ?? { host: flags.listen.host, port: flags.listen.port + 2 };
}

interface OwnImages {
  readonly open: () => Promise<Registry>;
  readonly access: RegistryAccess;
  readonly addresses: readonly string[];
}

async function openNodeImages(
  { store, concerns, flags, clock, log }: RegistryParts,
  { open, access, addresses }: OwnImages,
  stack: AsyncDisposableStack,
): Promise<NodeImages> {
  const { createNodeImages } = await import('@skerry/workloads/registry');
  const { canonicalRegistry, closedTo, createRegistrySource, rulesOf } = await import('@skerry/workloads/images');
  const rules = stack.use(followRegistries(store, rulesOf));
  const upstream = flags['registry-upstream'];
  const closed = upstream === undefined ? () => false : closedTo(upstream);
  const source = createRegistrySource({ clock, settings: () => rules.current().settings, closed });
  const ours = addresses.map((address) => canonicalRegistry(address) ?? address);
  const behind =
    upstream === undefined
      ? {}
      : { behind: createRegistrySource({ clock, settings: () => settingsBehind(upstream, ours) }) };
  const stopping = new AbortController();
  stack.defer(() => stopping.abort());
  return createNodeImages({
    open,
    source,
    access,
    clock,
    log,
    isNamed: (registry) => Object.hasOwn(rules.current().settings, registry),
    namedAt: (node) => namedAt(store, concerns.keysOf(node), node),
    addresses: new Set(ours),
    ...behind,
    signal: stopping.signal,
  });
}

/** Our own address leads to the registry behind our door, and not through the door. */
function settingsBehind(url: URL, addresses: readonly string[]): RegistrySettings {
  const mirrors = [url.href.replace(/\/$/, '')];
  const own = addresses.map((address) => [address, { mirrors }] as const);
  return Object.fromEntries([...own, [url.host, { plainHttp: url.protocol === 'http:' }]]);
}

interface Rules extends Disposable {
  current(): RegistryRules;
}

/** For the cloud itself all ImageRegistry objects count, wherever they are placed. */
function followRegistries(store: Store, rulesOf: (objects: readonly ImageRegistry[]) => RegistryRules): Rules {
  const objects = new Map<string, ImageRegistry>();
  let rules: RegistryRules | undefined;
  const subscription = follow(store, 'apps.skerry.io', 'imageregistries', {
    put: (object) => {
      objects.set(object.metadata.name ?? '', object as ImageRegistry);
      rules = undefined;
    },
    remove: ({ metadata }) => {
      objects.delete(metadata.name ?? '');
      rules = undefined;
    },
  });
  return {
    current: () => {
      rules ??= rulesOf([...objects.values()]);
      return rules;
    },
    [Symbol.dispose]: () => subscription.close(),
  };
}

const PODS = keyPrefix('', 'pods');
const TASKS = keyPrefix('apps.skerry.io', 'imagepulltasks');

/** The images of the pods and image pulls that are bound to the node. */
function* namedAt(store: Store, keys: Iterable<string>, node: string): Generator<NamedImage> {
  for (const key of keys) {
    if (!key.startsWith(PODS) && !key.startsWith(TASKS)) continue;
    const stored = store.get(key);
    if (stored === undefined) continue;
    const object = JSON.parse(stored.json) as KubeObject;
    const { namespace = '' } = object.metadata;
    for (const image of key.startsWith(PODS) ? imagesOfPod(object as Pod, node) : imagesOfTask(object)) {
      yield { namespace, image };
    }
  }
}

function imagesOfPod({ spec }: Pod, node: string): readonly string[] {
  if (spec?.nodeName !== node) return [];
  const { containers, initContainers = [], ephemeralContainers = [] } = spec;
  return [...containers, ...initContainers, ...ephemeralContainers].map(({ image = '' }) => image);
}

function imagesOfTask(task: KubeObject): readonly string[] {
  return (task['spec'] as { readonly images?: readonly string[] } | undefined)?.images ?? [];
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
async function publish(client: Client, addresses: readonly string[], ca: string): Promise<void> {
  if (addresses.length === 0) return withdraw(client);
  const data = { addresses: addresses.join(','), 'ca.crt': ca };
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
