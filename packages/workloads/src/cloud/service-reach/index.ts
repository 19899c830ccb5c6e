/** Says at each Service with endpoints on edge nodes how far its traffic goes: nodes have no way to each other yet. */
import type { Condition, EndpointSlice, Node, Service } from '@skerry/api/types';
import {
  type ControllerSpec,
  type Informer,
  keyOf,
  type ObjectLister,
  reading,
  watching,
} from '@skerry/kube/controller';
import { findCondition, withCondition } from '../conditions.ts';
import type { CloudContext } from '../context.ts';
import { ENDPOINT_SLICES, NODES, SERVICES } from '../resources.ts';
import { formatTime } from '../timestamps.ts';
import { refOf } from '../writes.ts';

const TYPE = 'skerry.io/NodeLocal';
const SERVICE_NAME = 'kubernetes.io/service-name';
const EDGE = 'skerry.io/edge';
const BY_SERVICE = 'named-service';
const MESSAGE =
  'Traffic stays on its node: pods and node ports of a node lead only to the endpoints of this Service on the same node. ' +
  'Its EndpointSlices say which nodes have some.';

export function serviceReachController(context: CloudContext): ControllerSpec {
  const { client, clock, informers } = context;
  const services = informers.informer<Service>({ gvr: SERVICES });
  const nodes = informers.informer<Node>({ gvr: NODES });
  const slices = informers.informer<EndpointSlice>({ gvr: ENDPOINT_SLICES });
  slices.addIndex(BY_SERVICE, serviceOf);
  return {
    name: 'service-reach',
    watches: [watching(services, ({ object }) => [keyOf(object)]), watching(slices, ({ object }) => serviceOf(object))],
    reads: [reading(nodes)],
    reconcile: async (key) => {
      const service = services.cache.get(key);
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return undefined;
      const known = service.status?.conditions;
      // While it has no endpoints, what was said stands: they come and go as pods do.
      if (findCondition(known, TYPE) !== undefined || !isOnEdge(key, slices, nodes.cache)) return undefined;
      const conditions = withCondition<Condition>(known, {
        type: TYPE,
        status: 'True',
        reason: 'EndpointsOnEdgeNodes',
        message: MESSAGE,
        lastTransitionTime: formatTime(clock.now()),
      });
      const options = { type: 'merge', subresource: 'status' } as const;
      await client.patch(refOf(SERVICES, service), { status: { conditions } }, options);
      return undefined;
    },
  };
}

function serviceOf({ metadata: { namespace = '', labels = {} } }: EndpointSlice): readonly string[] {
  const service = labels[SERVICE_NAME];
  return service === undefined ? [] : [`${namespace}/${service}`];
}

function isOnEdge(key: string, slices: Informer<EndpointSlice>, nodes: ObjectLister<Node>): boolean {
  const endpoints = slices.cache.byIndex(BY_SERVICE, key).flatMap((slice) => slice.endpoints ?? []);
  return endpoints.some(({ nodeName = '' }) => nodes.get(nodeName)?.metadata.labels?.[EDGE] === 'true');
}
