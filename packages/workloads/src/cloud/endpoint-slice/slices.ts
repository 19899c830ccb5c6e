/** How existing slices become the wanted ones with few and small writes. Pure. */
import type { DiscoveryV1EndpointPort, Endpoint, EndpointSlice } from '@skerry/api/types';
import type { AddressType, EndpointGroup } from '../../endpoints/service-endpoints.ts';
import { canonicalJson, isSame } from '../canonical.ts';

/** The API allows ten times as many; small slices make small changes. */
export const MAX_ENDPOINTS_IN_SLICE = 100;

/** What a slice holds, apart from whose it is. */
export interface SliceContent {
  readonly addressType: AddressType;
  readonly ports: readonly DiscoveryV1EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface SliceDiff {
  readonly create: readonly SliceContent[];
  readonly update: readonly { readonly slice: EndpointSlice; readonly content: SliceContent }[];
  readonly remove: readonly EndpointSlice[];
}

/** Endpoints of one node, which share a slice with no other node's: what changes there is news for that node alone. */
interface NodeGroup extends EndpointGroup {
  readonly nodeName: string;
}

export function diffSlices(
  existing: readonly EndpointSlice[],
  endpointGroups: readonly EndpointGroup[],
  addressTypes: readonly AddressType[],
): SliceDiff {
  const groups = endpointGroups.flatMap(byNode);
  const create: SliceContent[] = [];
  const update: { slice: EndpointSlice; content: SliceContent }[] = [];
  const unused = new Set(existing);
  for (const group of [...groups, ...placeholders(groups, addressTypes)]) {
    const own = existing.filter((slice) => unused.has(slice) && isOf(slice, group));
    for (const slice of own) unused.delete(slice);
    const filled = fill(own, group);
    create.push(...filled.create);
    update.push(...filled.update);
    for (const slice of filled.remove) unused.add(slice);
  }
  return { create, update, remove: [...unused] };
}

function byNode(group: EndpointGroup): readonly NodeGroup[] {
  const nodes = Map.groupBy(group.endpoints, ({ nodeName = '' }) => nodeName);
  return [...nodes].map(([nodeName, endpoints]) => ({ ...group, nodeName, endpoints }));
}

/** A Service without endpoints has one empty slice for each family: that there are none is a fact too. */
function placeholders(groups: readonly NodeGroup[], addressTypes: readonly AddressType[]): NodeGroup[] {
  return addressTypes
    .filter((addressType) => !groups.some((group) => group.addressType === addressType))
    .map((addressType) => ({ addressType, ports: [], nodeName: '', endpoints: [] }));
}

function isOf(slice: EndpointSlice, { addressType, ports, nodeName }: NodeGroup): boolean {
  if (slice.addressType !== addressType || canonicalJson(slice.ports ?? []) !== canonicalJson(ports)) return false;
  return (slice.endpoints ?? []).every((endpoint) => (endpoint.nodeName ?? '') === nodeName);
}

function fill(own: readonly EndpointSlice[], group: EndpointGroup): SliceDiff {
  const { addressType, ports } = group;
  const wanted = new Map(group.endpoints.map((endpoint) => [identityOf(endpoint), endpoint]));
  const kept = own.map((slice) => ({ slice, endpoints: keepIn(slice, wanted) }));
  const rest = [...wanted.values()];
  // The fullest first, so that slices do not all stay half empty.
  for (const one of [...kept].sort((left, right) => right.endpoints.length - left.endpoints.length)) {
    one.endpoints.push(...rest.splice(0, Math.max(0, MAX_ENDPOINTS_IN_SLICE - one.endpoints.length)));
  }
  const isPlaceholder = group.endpoints.length === 0;
  const spare = kept.filter(({ endpoints }, index) => endpoints.length === 0 && !(isPlaceholder && index === 0));
  const create: SliceContent[] = [];
  while (rest.length > 0) create.push({ addressType, ports, endpoints: rest.splice(0, MAX_ENDPOINTS_IN_SLICE) });
  if (isPlaceholder && own.length === 0) create.push({ addressType, ports, endpoints: [] });
  return {
    create,
    update: kept
      .filter((one) => !spare.includes(one) && !isSame(one.slice.endpoints ?? [], one.endpoints))
      .map(({ slice, endpoints }) => ({ slice, content: { addressType, ports, endpoints } })),
    remove: spare.map(({ slice }) => slice),
  };
}

/** The slice's endpoints that are still wanted, as they are wanted now; takes them out of `wanted`. */
function keepIn({ endpoints }: EndpointSlice, wanted: Map<string, Endpoint>): Endpoint[] {
  const kept: Endpoint[] = [];
  for (const endpoint of endpoints ?? []) {
    const id = identityOf(endpoint);
    const now = wanted.get(id);
    if (now === undefined) continue;
    kept.push(now);
    wanted.delete(id);
  }
  return kept;
}

function identityOf({ targetRef, addresses }: Endpoint): string {
  return targetRef?.uid ?? addresses.join(',');
}
