/** ResourceQuota: shows in its status what it allows and what is taken. Admission does not rely on that: it counts for itself. */
import { countedNames, formatAmounts } from '@skerry/api/quota';
import type { ResourceQuota } from '@skerry/api/types';
import { type Change, type ControllerSpec, keyOf, type Requeue, reading, watching } from '@skerry/kube/controller';
import { isSame } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, RESOURCE_QUOTAS } from '../resources.ts';
import { type Kind, type ServedKinds, servedKinds } from '../served-kinds.ts';
import { type Census, openCensus } from './census.ts';

/** Whoever writes a status by hand sees it for so long; pods whose time to end has passed are noticed no later. */
const RECOUNT_MS = 60_000;

interface World extends CloudContext {
  readonly kinds: ServedKinds;
  readonly census: Census;
}

export function resourceQuotaController(context: CloudContext): ControllerSpec {
  const { informers, rows } = context;
  const quotas = informers.informer<ResourceQuota>({ gvr: RESOURCE_QUOTAS });
  const kinds = servedKinds(rows, informers);
  const census = openCensus(context);
  const world: World = { ...context, kinds, census };
  return {
    name: 'resource-quota',
    watches: [watching(quotas, keysOfChange)],
    reads: [reading(informers.informer({ gvr: CUSTOM_RESOURCE_DEFINITIONS }))],
    source: (enqueue) => {
      const recount = (namespace?: string) => {
        const concerned = namespace === undefined ? quotas.cache.list() : quotas.cache.inNamespace(namespace);
        for (const quota of concerned) enqueue(keyOf(quota));
      };
      const endCensus = census.start(recount);
      const endKinds = kinds.onChange(() => {
        census.keepOnly(kinds.list());
        recount();
      });
      return () => {
        endKinds();
        endCensus();
      };
    },
    reconcile: async (key) => {
      const quota = quotas.cache.get(key);
      return quota === undefined ? undefined : reconcile(world, quota);
    },
  };
}

/** A status comes from here, so its changes are no news. */
function keysOfChange({ type, object, previous }: Change<ResourceQuota>): string[] {
  return type === 'update' && isSame(object.spec, previous.spec) ? [] : [keyOf(object)];
}

async function reconcile({ client, clock, kinds, census }: World, quota: ResourceQuota): Promise<Requeue | undefined> {
  const hard = quota.spec?.hard ?? {};
  const counted = kinds
    .list()
    .filter((kind) => kind.namespaced && countedNames(kind.gvr, Object.keys(hard)).length > 0);
  // Whoever is not counted whole yet calls for this quota again when it is.
  if (!areCounted(census, counted)) return undefined;
  const used = formatAmounts(census.usedOf(quota, counted, clock.now()));
  if (!isSame({ hard, used }, quota.status)) {
    await client.update<ResourceQuota>(
      RESOURCE_QUOTAS,
      { ...quota, status: { hard, used } },
      { subresource: 'status' },
    );
  }
  return { afterMs: RECOUNT_MS };
}

/** Begins to count all that are not counted yet. */
function areCounted(census: Census, kinds: readonly Kind[]): boolean {
  return kinds.map((kind) => census.count(kind)).every((isWhole) => isWhole);
}
