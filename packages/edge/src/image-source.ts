/** Where this node gets images: the way, the mirrors, whom to trust and how fast, as its ImageRegistry objects say. */
import type { Clock } from '@skerry/base';
import { keyPrefix, type Store } from '@skerry/kube/store';
import type { EdgeLink } from '@skerry/link/node';
import type { ImageRegistry, ImageSource, RegistryRules } from '@skerry/workloads/images';

export interface ImageSourceOptions {
  /** The node's replica. */
  readonly store: Store;
  readonly link: () => Pick<EdgeLink, 'openBlob' | 'status'> | undefined;
  readonly clock: Clock;
  /** Ends what follows the objects. */
  readonly signal: AbortSignal;
}

/** The code is loaded by whoever pulls for the first time. */
export async function openImageSource({ store, link, clock, signal }: ImageSourceOptions): Promise<ImageSource> {
  const { createChosenSource, createLinkSource, createPacedSource, createRegistrySource, rulesOf } = await import(
    '@skerry/workloads/images'
  );
  const rules = followRegistries(store, rulesOf, signal);
  const cloud = createLinkSource(async (request, options) => {
    const current = link();
    if (current === undefined) throw new Error('the link has not begun yet');
    return await current.openBlob(request, options);
  });
  const direct = createRegistrySource({ clock, settings: () => rules().settings });
  const isConnected = () => link()?.status().connected === true;
  const wayOf = (registry: string) => rules().wayOf(registry);
  const chosen = createChosenSource({ cloud, direct, isConnected, wayOf, clock });
  return createPacedSource(chosen, { rateOf: (registry) => rules().rateOf(registry), clock });
}

const REGISTRIES = keyPrefix('apps.skerry.io', 'imageregistries');

/** The rules as of now. */
function followRegistries(
  store: Store,
  rulesOf: (objects: readonly ImageRegistry[]) => RegistryRules,
  signal: AbortSignal,
): () => RegistryRules {
  let current: RegistryRules | undefined;
  const subscription = store.subscribe(REGISTRIES, store.revision, () => {
    current = undefined;
  });
  signal.addEventListener('abort', () => subscription.close(), { once: true });
  return () => {
    current ??= rulesOf(store.list(REGISTRIES).items.map(({ json }) => JSON.parse(json) as ImageRegistry));
    return current;
  };
}
