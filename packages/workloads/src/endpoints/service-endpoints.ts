/** From a Service and its pods to endpoints, grouped by the ports they serve. Pure. */
import type { DiscoveryV1EndpointPort, Endpoint, Node, Pod, Service, ServicePort } from '@skerry/api/types';
import { hasEnded, isReady, isTerminating } from './pod-state.ts';

export type AddressType = 'IPv4' | 'IPv6';

/** Endpoints that share their ports, and so may share a slice. */
export interface EndpointGroup {
  readonly addressType: AddressType;
  readonly ports: readonly DiscoveryV1EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface EndpointInput {
  readonly service: Service;
  readonly pods: readonly Pod[];
  readonly nodeOf: (pod: Pod) => Node | undefined;
  /** Whether the pod's node is heard of: nobody should be sent to one that is not. */
  readonly isReachable: (pod: Pod) => boolean;
}

export function groupEndpoints(input: EndpointInput): readonly EndpointGroup[] {
  return addressTypesOf(input.service).flatMap((addressType) => groupsOfFamily(input, addressType));
}

export function addressTypesOf({ spec }: Service): readonly AddressType[] {
  const families = spec?.ipFamilies?.filter((family) => family === 'IPv4' || family === 'IPv6') ?? [];
  if (families.length > 0) return families;
  return [spec?.clusterIP?.includes(':') === true ? 'IPv6' : 'IPv4'];
}

export function isHeadless({ spec }: Service): boolean {
  return spec?.clusterIP === 'None';
}

/** True when labels, and not a person, say which endpoints a Service has. */
export function isSelecting({ spec }: Service): boolean {
  return spec?.type !== 'ExternalName' && Object.keys(spec?.selector ?? {}).length > 0;
}

function groupsOfFamily(input: EndpointInput, addressType: AddressType): EndpointGroup[] {
  const groups = new Map<string, { ports: readonly DiscoveryV1EndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of input.pods) {
    const address = addressOf(pod, addressType);
    if (address === undefined || hasEnded(pod)) continue;
    const ports = portsOf(input.service, pod);
    // A pod that has none of the ports a Service asks for by name serves nothing of it.
    if (ports.length === 0 && (input.service.spec?.ports ?? []).length > 0) continue;
    const id = JSON.stringify(ports);
    const group = groups.get(id) ?? { ports, endpoints: [] };
    group.endpoints.push(endpointOf(input, pod, address));
    groups.set(id, group);
  }
  return [...groups.values()].map((group) => ({ addressType, ...group }));
}

function addressOf({ status }: Pod, addressType: AddressType): string | undefined {
  const addresses = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP === undefined ? [] : [status.podIP]);
  return addresses.find((address) => address !== '' && address.includes(':') === (addressType === 'IPv6'));
}

function portsOf({ spec }: Service, pod: Pod): DiscoveryV1EndpointPort[] {
  return (spec?.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        protocol: port.protocol ?? 'TCP',
        port: number,
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

function targetPort({ port, targetPort: target = port, protocol = 'TCP' }: ServicePort, pod: Pod): number | undefined {
  if (typeof target === 'number') return target === 0 ? port : target;
  const containers = [...(pod.spec?.containers ?? []), ...sidecars(pod)];
  return containers
    .flatMap(({ ports }) => ports ?? [])
    .find(({ name, protocol: own = 'TCP' }) => name === target && own === protocol)?.containerPort;
}

/** Init containers that keep running beside the others. */
function sidecars({ spec }: Pod) {
  return (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
}

function endpointOf({ service, nodeOf, isReachable }: EndpointInput, pod: Pod, address: string): Endpoint {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  const serving = isReady(pod) && isReachable(pod);
  const terminating = isTerminating(pod);
  const zone = nodeOf(pod)?.metadata.labels?.['topology.kubernetes.io/zone'];
  const { hostname, subdomain, nodeName } = pod.spec ?? { hostname: undefined };
  const isNamed = hostname !== undefined && hostname !== '' && subdomain === service.metadata.name;
  return {
    addresses: [address],
    conditions: {
      ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(isNamed ? { hostname } : {}),
    ...(nodeName === undefined || nodeName === '' ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}
