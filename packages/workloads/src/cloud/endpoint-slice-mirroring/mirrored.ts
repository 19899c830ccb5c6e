/** What of an Endpoints object, written by hand, stands in slices: its addresses by family and ports, its labels. Pure. */
import type { DiscoveryV1EndpointPort, Endpoint, EndpointAddress, EndpointSubset, Endpoints } from '@skerry/api/types';
import type { AddressType, EndpointGroup } from '../../endpoints/service-endpoints.ts';
import { canonicalJson } from '../canonical.ts';

/** Of one subset no more are mirrored. */
export const MAX_MIRRORED_ADDRESSES = 1000;

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const MANAGER = 'endpointslicemirroring-controller.k8s.io';

const SKIP_LABEL = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader';
/** Of the Endpoints alone, not of what they say. */
const OWN_ANNOTATIONS: readonly string[] = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'endpoints.kubernetes.io/last-change-trigger-time',
];

/** False for those that somebody else turns into slices, and for those that are no endpoints at all but somebody's lock. */
export function isToBeMirrored({ metadata }: Endpoints): boolean {
  return metadata.labels?.[SKIP_LABEL] !== 'true' && metadata.annotations?.[LEADER_ANNOTATION] === undefined;
}

export interface SliceMarks {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

/** The labels and annotations of every slice that mirrors these. */
export function marksOf({ metadata }: Endpoints): SliceMarks {
  const kept = Object.entries(metadata.annotations ?? {}).filter(([key]) => !OWN_ANNOTATIONS.includes(key));
  return {
    labels: { ...metadata.labels, [SERVICE_NAME]: metadata.name ?? '', [MANAGED_BY]: MANAGER },
    annotations: Object.fromEntries(kept),
  };
}

/** Endpoints that share family and ports; those of several subsets too, each address once. */
export function mirroredGroups({ subsets = [] }: Endpoints): EndpointGroup[] {
  const groups = new Map<
    string,
    { addressType: AddressType; ports: DiscoveryV1EndpointPort[]; endpoints: Endpoint[] }
  >();
  for (const subset of subsets) {
    const ports = portsOf(subset);
    for (const endpoint of endpointsOf(subset)) {
      const addressType = endpoint.addresses[0]?.includes(':') === true ? 'IPv6' : 'IPv4';
      const key = `${addressType} ${canonicalJson(ports)}`;
      const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
      groups.set(key, group);
      if (!group.endpoints.some(({ addresses }) => addresses[0] === endpoint.addresses[0]))
        group.endpoints.push(endpoint);
    }
  }
  return [...groups.values()];
}

function endpointsOf({ addresses = [], notReadyAddresses = [] }: EndpointSubset): Endpoint[] {
  const ready = addresses.map((address) => endpointOf(address, true));
  const notReady = notReadyAddresses.map((address) => endpointOf(address, false));
  return [...ready, ...notReady].slice(0, MAX_MIRRORED_ADDRESSES);
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

function portsOf({ ports = [] }: EndpointSubset): DiscoveryV1EndpointPort[] {
  return ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
    name,
    protocol,
    port,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
}
