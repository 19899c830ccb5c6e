/** EndpointSlices: where each Service leads, pod by pod. */
import type { Gvk } from '@skerry/api';
import type { EndpointSlice, Service } from '@skerry/api/types';
import { type ControllerSpec, type Informer, keyOf, type Requeue, reading, watching } from '@skerry/kube/controller';
import { addressTypesOf, groupEndpoints, isHeadless, isSelecting } from '../../endpoints/service-endpoints.ts';
import type { CloudContext } from '../context.ts';
import { Expectations, STALE_CACHE_RECHECK_MS } from '../expectations.ts';
import { controllerReference } from '../owners.ts';
import { isOnReachableNode } from '../pods-by-node.ts';
import { ENDPOINT_SLICES } from '../resources.ts';
import { deleteIfThere, isNamespaceGoing, refOf } from '../writes.ts';
import { type SelectedPods, selectedPods } from './selected-pods.ts';
import { diffSlices, type SliceContent } from './slices.ts';

const SERVICE: Gvk = { group: '', version: 'v1', kind: 'Service' };

const SERVICE_NAME = 'kubernetes.io/service-name';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';
export const HEADLESS = 'service.kubernetes.io/headless';

const BY_SERVICE = 'service';
export function endpointSliceController(context: CloudContext): ControllerSpec {
  const selected = selectedPods(context);
  const slices = context.informers.informer<EndpointSlice>({ gvr: ENDPOINT_SLICES });
  slices.addIndex(BY_SERVICE, (slice) => serviceOf(slice));
  const world: World = { ...context, selected, slices, expectations: new Expectations(reading(slices), context.clock) };
  return {
    name: 'endpointslice',
    watches: [
      watching(selected.services, ({ object }) => [keyOf(object)]),
      watching(selected.pods, (change) => selected.servicesOfPod(change)),
      watching(selected.nodes, (change) => selected.servicesOfNode(change)),
      watching(slices, ({ object }) => serviceOf(object)),
    ],
    reconcile: (key) => reconcile(world, key),
  };
}

interface World extends CloudContext {
  readonly selected: SelectedPods;
  readonly slices: Informer<EndpointSlice>;
  readonly expectations: Expectations;
}

/** The key of the Service whose slice of ours this is. */
function serviceOf({ metadata }: EndpointSlice): readonly string[] {
  const { namespace = '', labels = {} } = metadata;
  const service = labels[SERVICE_NAME];
  return service === undefined || labels[MANAGED_BY] !== MANAGER ? [] : [`${namespace}/${service}`];
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { selected, slices, expectations, client } = world;
  const service = selected.services.cache.get(key);
  // Slices of a Service that is gone are the garbage collector's.
  if (service === undefined) expectations.forget(key);
  if (service === undefined || service.metadata.deletionTimestamp !== undefined) return undefined;
  if (!expectations.areMet(key)) return { afterMs: STALE_CACHE_RECHECK_MS };
  const existing = slices.cache.byIndex(BY_SERVICE, key);
  const { create, update, remove } = isSelecting(service)
    ? diffSlices(existing, groupsOf(world, service), addressTypesOf(service))
    : { create: [], update: [], remove: existing };
  for (const content of create) {
    try {
      expectations.created(key, await client.create(ENDPOINT_SLICES, newSlice(service, content)));
    } catch (error) {
      if (!isNamespaceGoing(error)) throw error;
    }
  }
  for (const { slice, content } of update) await client.update(ENDPOINT_SLICES, withContent(slice, content));
  for (const slice of remove) {
    await deleteIfThere(client, refOf(ENDPOINT_SLICES, slice));
    expectations.deleted(key, slice);
  }
  return undefined;
}

function groupsOf({ selected }: World, service: Service) {
  const { nodes } = selected;
  return groupEndpoints({
    service,
    pods: selected.podsOf(service),
    nodeOf: ({ spec }) => nodes.cache.get(spec?.nodeName ?? ''),
    isReachable: (pod) => isOnReachableNode(nodes, pod),
  });
}

function newSlice(service: Service, content: SliceContent): EndpointSlice {
  const { name = '', namespace = '' } = service.metadata;
  const empty: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: labelsFor(service),
      ownerReferences: [controllerReference(service, SERVICE)],
    },
    addressType: content.addressType,
  };
  return withContent(empty, content);
}

function withContent(slice: EndpointSlice, { ports, endpoints }: SliceContent): EndpointSlice {
  return { ...slice, endpoints: [...endpoints], ports: [...ports] };
}

function labelsFor(service: Service): Record<string, string> {
  return {
    ...service.metadata.labels,
    [SERVICE_NAME]: service.metadata.name ?? '',
    [MANAGED_BY]: MANAGER,
    ...(isHeadless(service) ? { [HEADLESS]: '' } : {}),
  };
}
