/** Which namespaces a node may bring values of: those that have a Route placed there. */
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { startInformer } from '@skerry/kube/controller';
import { ROUTES } from '../kinds/group.ts';
import type { Route } from '../kinds/index.ts';
import type { MayBring } from '../road/cloud/admittance.ts';

export interface RoutePlacesOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export function routePlaces(options: RoutePlacesOptions): MayBring {
  const { cache } = startInformer<Route>(options, { gvr: ROUTES });
  return async (node, namespace) => {
    const isPlaced = ({ metadata, status }: Route) =>
      metadata.namespace === namespace && status?.nodes?.includes(node) === true;
    if (cache.list().some(isPlaced)) return true;
    // The node may have heard of its Route before the cache here did.
    const { items } = await options.client.list<Route>(ROUTES, { namespace });
    return items.some(isPlaced);
  };
}
