/** What this node makes of each Service: its addresses, and the endpoints here that may be sent traffic. Pure. */
import { isIP } from 'node:net';
import { selectorFromMap } from '@skerry/api/selectors';
import type { EndpointSlice, Pod, Service } from '@skerry/api/types';
import { endpointAddressFault } from '@skerry/api/validation';
import { groupEndpoints, isHeadless, isSelecting } from '../../endpoints/service-endpoints.ts';

export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface PortView {
  /** Empty for the only port of a Service. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly nodePort?: number;
}

export interface EndpointView {
  readonly ip: string;
  /** The pod's own name below a headless Service's. */
  readonly hostname?: string;
  /** By the name of the Service's port. */
  readonly ports: Readonly<Record<string, number>>;
}

export interface ServiceView {
  readonly namespace: string;
  readonly name: string;
  /** Absent for headless Services and for mere other names. */
  readonly clusterIp?: string;
  /** Leads to the Service, too, but is this node's alone: what pods on the host's network are told, in place of the other. */
  readonly hostIp?: string;
  readonly isHeadless: boolean;
  readonly externalName?: string;
  /** Addresses of the host, if they are that, which lead to the Service, too. */
  readonly externalIps: readonly string[];
  readonly isSticky: boolean;
  readonly ports: readonly PortView[];
  readonly endpoints: readonly EndpointView[];
}

/** Where the API of pods is: the node's own, whatever the Service `kubernetes` says elsewhere. */
export interface ApiAddress {
  readonly ip: string;
  readonly port: number;
}

export interface NodeWorld {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  /** Those of this node. */
  readonly pods: readonly Pod[];
  /** Leads to the host from wherever a pod is: it stands for the loopback address, which leads nowhere from another network. */
  readonly hostIp: string;
  readonly api?: ApiAddress;
}

const SERVICE_NAME = 'kubernetes.io/service-name';

type Slice = Pick<EndpointSlice, 'endpoints' | 'ports'>;

export function viewServices(world: NodeWorld): readonly ServiceView[] {
  const slices = Map.groupBy(world.slices, ({ metadata: { namespace, labels = {} } }) =>
    keyOf(namespace, labels[SERVICE_NAME]),
  );
  const pods = Map.groupBy(world.pods, ({ metadata }) => metadata.namespace ?? '');
  return world.services.map((service) => {
    const { namespace = '', name = '' } = service.metadata;
    const known = slices.get(keyOf(namespace, name)) ?? [];
    return viewService(world, service, pods.get(namespace) ?? [], known);
  });
}

function viewService(world: NodeWorld, service: Service, pods: readonly Pod[], slices: readonly Slice[]): ServiceView {
  const { namespace = '', name = '' } = service.metadata;
  const { clusterIP = '', externalIPs = [], externalName, sessionAffinity, type } = service.spec ?? {};
  const ports = portsOf(service);
  const isApi = namespace === 'default' && name === 'kubernetes' && world.api !== undefined;
  const endpoints = isApi ? apiEndpoints(world.api, ports) : endpointsOf(world, service, pods, slices);
  const ingress = (service.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '');
  return {
    namespace,
    name,
    isHeadless: isHeadless(service),
    ...(isIP(clusterIP) === 4 ? { clusterIp: clusterIP } : {}),
    ...(isApi ? { hostIp: world.hostIp } : {}),
    ...(type === 'ExternalName' && externalName !== undefined ? { externalName } : {}),
    externalIps: [...externalIPs, ...ingress].filter((ip) => isIP(ip) === 4),
    isSticky: sessionAffinity === 'ClientIP',
    ports,
    endpoints,
  };
}

function portsOf({ spec }: Service): PortView[] {
  return (spec?.ports ?? []).map(({ name = '', protocol = 'TCP', port, nodePort }) => ({
    name,
    protocol: PROTOCOLS.find((known) => known === protocol.toLowerCase()) ?? 'tcp',
    port,
    ...(nodePort === undefined || nodePort === 0 ? {} : { nodePort }),
  }));
}

function apiEndpoints({ ip, port }: ApiAddress, ports: readonly PortView[]): EndpointView[] {
  return [{ ip, ports: Object.fromEntries(ports.map(({ name }) => [name, port])) }];
}

/**
 * Of pods, those of this node as they are now: a slice, which the cloud makes, may be old. Of what a person wrote down, nothing
 * leads to this host by an address that every host has.
 */
function endpointsOf(
  { hostIp }: NodeWorld,
  service: Service,
  pods: readonly Pod[],
  slices: readonly Slice[],
): EndpointView[] {
  const isOfPods = isSelecting(service);
  const found = isOfPods ? groupEndpoints(inputOf(service, pods)) : slices;
  const all = found.flatMap(({ endpoints = [], ports = [] }) => endpoints.map((endpoint) => ({ endpoint, ports })));
  const ready = all.filter(({ endpoint }) => endpoint.conditions?.ready ?? true);
  // Better one that is about to go than none.
  const leaving = all.filter(({ endpoint: { conditions } }) => conditions?.terminating && conditions.serving);
  return (ready.length > 0 ? ready : leaving).flatMap(({ endpoint: { addresses, hostname }, ports }) => {
    const numbers = Object.fromEntries(ports.map(({ name = '', port = 0 }) => [name, port]));
    return addresses
      .filter((ip) => (isOfPods ? isIP(ip) !== 0 : endpointAddressFault(ip) === undefined))
      .map((ip) => ({
        ip: ip.startsWith('127.') ? hostIp : ip,
        ports: numbers,
        ...(hostname === undefined || hostname === '' ? {} : { hostname }),
      }));
  });
}

function inputOf(service: Service, pods: readonly Pod[]) {
  const selector = selectorFromMap(service.spec?.selector);
  return {
    service,
    pods: pods.filter(({ metadata }) => selector.matches(metadata.labels)),
    nodeOf: () => undefined,
    isReachable: () => true,
  };
}

function keyOf(namespace = '', name = ''): string {
  return `${namespace}/${name}`;
}
