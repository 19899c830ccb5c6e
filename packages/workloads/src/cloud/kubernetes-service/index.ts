/** Service `kubernetes` in the default namespace and its endpoints: the API server as pods see it. */
import type { EndpointSlice, Endpoints, Service } from '@skerry/api/types';
import { type ControllerSpec, reading, watching } from '@skerry/kube/controller';
import { isSame } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../resources.ts';
import { createIfMissing } from '../writes.ts';

const NAME = 'kubernetes';
const NAMESPACE = 'default';
const KEY = `${NAMESPACE}/${NAME}`;
const SERVICE_PORT = 443;
/** The first address of the service network, as every Kubernetes cluster gives it; allocation leaves it free. */
const CLUSTER_IP = '10.96.0.1';

export interface ApiEndpoint {
  /** An IP address that nodes reach. */
  readonly address: string;
  readonly port: number;
}

export function kubernetesServiceController(context: CloudContext, endpoint: ApiEndpoint): ControllerSpec {
  const { client, informers } = context;
  const only = { namespace: NAMESPACE, fieldSelector: `metadata.name=${NAME}` };
  const services = informers.informer<Service>({ gvr: SERVICES, ...only });
  const slices = informers.informer<EndpointSlice>({ gvr: ENDPOINT_SLICES, ...only });
  const endpoints = informers.informer<Endpoints>({ gvr: ENDPOINTS, ...only });
  return {
    name: 'kubernetes-service',
    watches: [watching(services, () => [KEY]), watching(slices, () => [KEY]), watching(endpoints, () => [KEY])],
    reads: [reading(services)],
    initialKeys: [KEY],
    reconcile: async () => {
      if (services.cache.get(KEY) === undefined) await createIfMissing(client, SERVICES, serviceTo(endpoint));
      const slice = sliceTo(endpoint);
      const knownSlice = slices.cache.get(KEY);
      if (knownSlice === undefined) await createIfMissing(client, ENDPOINT_SLICES, slice);
      else if (!isSame([knownSlice.endpoints, knownSlice.ports], [slice.endpoints, slice.ports])) {
        await client.update(ENDPOINT_SLICES, { ...slice, metadata: knownSlice.metadata });
      }
      const legacy = endpointsTo(endpoint);
      const knownLegacy = endpoints.cache.get(KEY);
      if (knownLegacy === undefined) await createIfMissing(client, ENDPOINTS, legacy);
      else if (!isSame(knownLegacy.subsets, legacy.subsets)) {
        await client.update(ENDPOINTS, { ...legacy, metadata: knownLegacy.metadata });
      }
      return undefined;
    },
    concurrency: 1,
  };
}

function serviceTo({ port }: ApiEndpoint): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME, namespace: NAMESPACE, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: CLUSTER_IP,
      clusterIPs: [CLUSTER_IP],
      ports: [{ name: 'https', protocol: 'TCP', port: SERVICE_PORT, targetPort: port }],
      sessionAffinity: 'None',
    },
  };
}

function sliceTo({ address, port }: ApiEndpoint): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: NAME, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': NAME } },
    addressType: address.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', protocol: 'TCP', port }],
  };
}

function endpointsTo({ address, port }: ApiEndpoint): Endpoints {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: NAME, namespace: NAMESPACE, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: address }], ports: [{ name: 'https', protocol: 'TCP', port }] }],
  };
}
