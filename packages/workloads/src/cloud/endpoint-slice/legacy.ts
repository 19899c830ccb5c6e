/** Endpoints: the older, flat form of EndpointSlices, for programs that still read it. */
import type { Endpoint, EndpointAddress, EndpointSubset, Endpoints, Service } from '@skerry/api/types';
import type { Client } from '@skerry/kube/client';
import { type ControllerSpec, keyOf, watching } from '@skerry/kube/controller';
import {
  addressTypesOf,
  type EndpointGroup,
  groupEndpoints,
  isHeadless,
  isSelecting,
} from '../../endpoints/service-endpoints.ts';
import { isSame } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { isOnReachableNode } from '../pods-by-node.ts';
import { ENDPOINTS } from '../resources.ts';
import { createIfMissing, deleteIfThere, refOf } from '../writes.ts';
import { HEADLESS } from './index.ts';
import { selectedPods } from './selected-pods.ts';

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

/** One object cannot hold more; the rest is left out, and the object says so. */
const MAX_ADDRESSES = 1000;

export function endpointsController(context: CloudContext): ControllerSpec {
  const { client, informers } = context;
  const selected = selectedPods(context);
  const endpoints = informers.informer<Endpoints>({ gvr: ENDPOINTS });
  return {
    name: 'endpoints',
    watches: [
      watching(selected.services, ({ object }) => [keyOf(object)]),
      watching(selected.pods, (change) => selected.servicesOfPod(change)),
      watching(selected.nodes, (change) => selected.servicesOfNode(change)),
      watching(endpoints, ({ object }) => [keyOf(object)]),
    ],
    reconcile: async (key) => {
      const service = selected.services.cache.get(key);
      if (service === undefined) return removeOwn(client, endpoints.cache.get(key));
      if (!isSelecting(service)) return undefined;
      if (service.metadata.deletionTimestamp !== undefined) return undefined;
      const [family] = addressTypesOf(service);
      const groups = groupEndpoints({
        service,
        pods: selected.podsOf(service),
        nodeOf: () => undefined,
        isReachable: (pod) => isOnReachableNode(selected.nodes, pod),
      }).filter(({ addressType }) => addressType === family);
      const wanted = endpointsOf(service, groups);
      const current = endpoints.cache.get(key);
      if (current === undefined) await createIfMissing(client, ENDPOINTS, wanted);
      else if (
        !isSame([current.subsets ?? [], current.metadata.labels], [wanted.subsets ?? [], wanted.metadata.labels])
      ) {
        const { labels = {}, annotations = {} } = wanted.metadata;
        await client.update(ENDPOINTS, { ...wanted, metadata: { ...current.metadata, labels, annotations } });
      }
      return undefined;
    },
  };
}

/** They have no owner, as in Kubernetes, so no collector takes them when their Service goes. What others wrote stays. */
async function removeOwn(client: Client, endpoints: Endpoints | undefined): Promise<undefined> {
  if (endpoints?.metadata.labels?.[MANAGED_BY] !== MANAGER) return;
  await deleteIfThere(client, refOf(ENDPOINTS, endpoints), { uid: endpoints.metadata.uid ?? '' });
}

function endpointsOf(service: Service, groups: readonly EndpointGroup[]): Endpoints {
  const { name = '', namespace = '', labels } = service.metadata;
  const total = groups.reduce((sum, group) => sum + group.endpoints.length, 0);
  const subsets = groups.map(subsetOf).filter((subset) => subset !== undefined);
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      namespace,
      labels: { ...labels, [MANAGED_BY]: MANAGER, ...(isHeadless(service) ? { [HEADLESS]: '' } : {}) },
      annotations: total > MAX_ADDRESSES ? { [OVER_CAPACITY]: 'truncated' } : {},
    },
    ...(subsets.length === 0 ? {} : { subsets }),
  };
}

function subsetOf({ ports, endpoints }: EndpointGroup): EndpointSubset | undefined {
  const shown = endpoints.filter(({ conditions }) => conditions?.terminating !== true).slice(0, MAX_ADDRESSES);
  if (shown.length === 0) return undefined;
  const isReady = ({ conditions }: Endpoint) => conditions?.ready === true;
  const ready = shown.filter(isReady).map(addressOf);
  const notReady = shown.filter((endpoint) => !isReady(endpoint)).map(addressOf);
  return {
    ...(ready.length === 0 ? {} : { addresses: ready }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
    ports: ports.map(({ name, port = 0, protocol }) => ({
      ...(name === undefined || name === '' ? {} : { name }),
      port,
      ...(protocol === undefined ? {} : { protocol }),
    })),
  };
}

function addressOf({ addresses, hostname, nodeName, targetRef }: Endpoint): EndpointAddress {
  return {
    ip: addresses[0] ?? '',
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
