/** Endpoints that somebody keeps by hand, for a Service without a selector, as the EndpointSlices that everybody reads. */
import type { Gvk } from '@skerry/api';
import type { EndpointSlice, Endpoints, Service } from '@skerry/api/types';
import { type ControllerSpec, type Informer, keyOf, type Requeue, reading, watching } from '@skerry/kube/controller';
import { isSame } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { diffSlices, type SliceContent } from '../endpoint-slice/slices.ts';
import { Expectations, STALE_CACHE_RECHECK_MS } from '../expectations.ts';
import { controllerReference } from '../owners.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../resources.ts';
import { deleteIfThere, isNamespaceGoing, refOf } from '../writes.ts';
import { isToBeMirrored, MANAGED_BY, MANAGER, marksOf, mirroredGroups, SERVICE_NAME } from './mirrored.ts';

const ENDPOINTS_KIND: Gvk = { group: '', version: 'v1', kind: 'Endpoints' };
const BY_SERVICE = 'service';

export function endpointSliceMirroringController(context: CloudContext): ControllerSpec {
  const { informers, clock } = context;
  const endpoints = informers.informer<Endpoints>({ gvr: ENDPOINTS });
  const services = informers.informer<Service>({ gvr: SERVICES });
  const slices = informers.informer<EndpointSlice>({ gvr: ENDPOINT_SLICES, labelSelector: `${MANAGED_BY}=${MANAGER}` });
  slices.addIndex(BY_SERVICE, (slice) => serviceOf(slice));
  const world: World = {
    ...context,
    endpoints,
    services,
    slices,
    expectations: new Expectations(reading(slices), clock),
  };
  return {
    name: 'endpointslice-mirroring',
    watches: [
      watching(endpoints, ({ object }) => [keyOf(object)]),
      watching(services, ({ object }) => [keyOf(object)]),
      watching(slices, ({ object }) => serviceOf(object)),
    ],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly endpoints: Informer<Endpoints>;
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly expectations: Expectations;
}

function serviceOf({ metadata }: EndpointSlice): readonly string[] {
  const service = metadata.labels?.[SERVICE_NAME];
  return service === undefined ? [] : [`${metadata.namespace ?? ''}/${service}`];
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { slices, expectations, client } = world;
  const existing = slices.cache.byIndex(BY_SERVICE, key);
  const source = sourceOf(world, key);
  if (source === undefined && existing.length === 0) {
    expectations.forget(key);
    return undefined;
  }
  if (!expectations.areMet(key)) return { afterMs: STALE_CACHE_RECHECK_MS };
  const { create, update, remove } = diffSlices(existing, source === undefined ? [] : mirroredGroups(source), []);
  for (const slice of remove) {
    await deleteIfThere(client, refOf(ENDPOINT_SLICES, slice));
    expectations.deleted(key, slice);
  }
  if (source === undefined) return undefined;
  const contents = new Map(update.map(({ slice, content }) => [slice, content]));
  for (const slice of existing.filter((each) => !remove.includes(each))) {
    const wanted = marked(slice, source, contents.get(slice));
    if (!isSame(slice, wanted)) await client.update(ENDPOINT_SLICES, wanted);
  }
  for (const content of create) {
    try {
      expectations.created(key, await client.create(ENDPOINT_SLICES, newSlice(source, content)));
    } catch (error) {
      if (!isNamespaceGoing(error)) throw error;
    }
  }
  return undefined;
}

/** The Endpoints to mirror, if there are any: those of a Service whose selector leaves them to somebody else. */
function sourceOf({ endpoints, services }: World, key: string): Endpoints | undefined {
  const source = endpoints.cache.get(key);
  const service = services.cache.get(key);
  if (source === undefined || service === undefined || service.spec?.selector !== undefined) return undefined;
  return isToBeMirrored(source) && source.metadata.deletionTimestamp === undefined ? source : undefined;
}

function newSlice(source: Endpoints, content: SliceContent): EndpointSlice {
  const { name = '', namespace = '' } = source.metadata;
  const empty: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      ownerReferences: [controllerReference(source, ENDPOINTS_KIND)],
    },
    addressType: content.addressType,
  };
  return marked(empty, source, content);
}

function marked(slice: EndpointSlice, source: Endpoints, content: SliceContent | undefined): EndpointSlice {
  const { annotations, labels } = marksOf(source);
  const metadata = { ...slice.metadata, labels };
  if (Object.keys(annotations).length > 0) metadata.annotations = annotations;
  else delete metadata.annotations;
  if (content === undefined) return { ...slice, metadata };
  return { ...slice, metadata, endpoints: [...content.endpoints], ports: [...content.ports] };
}
