/**
 * What the names of the cluster stand for on this node, after Kubernetes' DNS specification: Services, their ports, the endpoints
 * of headless ones, addresses back to names. Pure.
 */
import type { Answer, RecordType } from 'dns-packet';
import { type EndpointView, type PortView, PROTOCOLS, type ServiceView } from './service-view.ts';

export const CLUSTER_DOMAIN = 'cluster.local';
const SPECIFICATION = '1.1.0';
/** Short, since endpoints come and go. */
const TTL = 5;
const REVERSE = '.in-addr.arpa';
const SERVICE_NETWORK_IN_REVERSE = /\.(9[6-9]|10\d|11[01])\.10$/;

export interface NamesReply {
  readonly exists: boolean;
  readonly answers: readonly Answer[];
  readonly additionals: readonly Answer[];
  /** A name outside the cluster that the last answer points to. */
  readonly outside?: string;
}

export interface Names {
  /** Undefined for what is not the cluster's to answer. */
  lookUp(name: string, type: RecordType, isFromHost?: boolean): NamesReply | undefined;
}

export function namesOf(services: readonly ServiceView[]): Names {
  return new ClusterNames(services);
}

const NO_NAME: NamesReply = { exists: false, answers: [], additionals: [] };
const NO_DATA: NamesReply = { exists: true, answers: [], additionals: [] };

/** What makes an answer negative for how long (RFC 2308). */
export const AUTHORITY: Answer = {
  type: 'SOA',
  name: CLUSTER_DOMAIN,
  ttl: TTL,
  data: {
    mname: `ns.dns.${CLUSTER_DOMAIN}`,
    rname: `hostmaster.${CLUSTER_DOMAIN}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: TTL,
  },
};

class ClusterNames implements Names {
  readonly #services: ReadonlyMap<string, ServiceView>;
  readonly #namespaces: ReadonlySet<string>;
  readonly #byAddress = new Map<string, string[]>();

  constructor(services: readonly ServiceView[]) {
    this.#services = new Map(services.map((service) => [`${service.name}.${service.namespace}`, service]));
    this.#namespaces = new Set(services.map(({ namespace }) => namespace));
    for (const service of services) {
      if (service.clusterIp !== undefined) this.#point(service.clusterIp, nameOf(service));
      if (!service.isHeadless) continue;
      for (const endpoint of service.endpoints) this.#point(endpoint.ip, endpointName(service, endpoint));
    }
  }

  #point(ip: string, name: string): void {
    const names = this.#byAddress.get(ip) ?? [];
    this.#byAddress.set(ip, names);
    if (!names.includes(name)) names.push(name);
  }

  lookUp(name: string, type: RecordType, isFromHost = false): NamesReply | undefined {
    const lower = name.toLowerCase();
    if (lower.endsWith(REVERSE)) return this.#lookUpAddress(name, lower, type);
    if (lower !== CLUSTER_DOMAIN && !lower.endsWith(`.${CLUSTER_DOMAIN}`)) return undefined;
    const below = lower
      .slice(0, -CLUSTER_DOMAIN.length - 1)
      .split('.')
      .filter((label) => label !== '');
    const kind = below.pop();
    if (kind === undefined) return type === 'SOA' ? found([AUTHORITY]) : NO_DATA;
    if (kind === 'svc') return this.#lookUpService(name, below, type, isFromHost);
    if (kind === 'pod') return this.#lookUpPod(name, below, type);
    if (kind !== 'dns-version' || below.length > 0) return NO_NAME;
    return type === 'TXT' ? found([{ type: 'TXT', name, ttl: TTL, data: SPECIFICATION }]) : NO_DATA;
  }

  #lookUpAddress(name: string, lower: string, type: RecordType): NamesReply | undefined {
    const labels = lower.slice(0, -REVERSE.length);
    const targets = this.#byAddress.get(labels.split('.').reverse().join('.'));
    if (targets === undefined) return SERVICE_NETWORK_IN_REVERSE.test(labels) ? NO_NAME : undefined;
    if (type !== 'PTR') return NO_DATA;
    return found(targets.map((data) => ({ type: 'PTR', name, ttl: TTL, data })));
  }

  #lookUpService(name: string, below: string[], type: RecordType, isFromHost: boolean): NamesReply {
    const namespace = below.pop();
    if (namespace === undefined) return NO_DATA;
    const own = below.pop();
    if (own === undefined) return this.#namespaces.has(namespace) ? NO_DATA : NO_NAME;
    const known = this.#services.get(`${own}.${namespace}`);
    if (known === undefined) return NO_NAME;
    const service = isFromHost && known.hostIp !== undefined ? { ...known, clusterIp: known.hostIp } : known;
    const [first, second, ...more] = below;
    if (more.length > 0) return NO_NAME;
    if (first === undefined) return serviceRecords(name, service, type);
    if (second !== undefined) return portRecords(name, service, { port: first, protocol: second }, type);
    if (first.startsWith('_'))
      return service.ports.some(({ protocol }) => `_${protocol}` === first) ? NO_DATA : NO_NAME;
    const endpoints = service.isHeadless ? service.endpoints.filter((each) => labelOf(each) === first) : [];
    return endpoints.length === 0 ? NO_NAME : found(addressRecords(name, endpoints, type));
  }

  /** `10-1-2-3.NAMESPACE.pod.cluster.local` says its address itself. */
  #lookUpPod(name: string, [label, namespace, ...more]: readonly string[], type: RecordType): NamesReply {
    if (namespace === undefined) return label === undefined || this.#namespaces.has(label) ? NO_DATA : NO_NAME;
    const ip = label?.replaceAll('-', '.') ?? '';
    if (more.length > 0 || !this.#namespaces.has(namespace) || !/^(\d{1,3}\.){3}\d{1,3}$/.test(ip)) return NO_NAME;
    return found(addressRecords(name, [{ ip, ports: {} }], type));
  }
}

function found(answers: readonly Answer[], more: Partial<NamesReply> = {}): NamesReply {
  return { ...NO_DATA, answers, ...more };
}

function nameOf({ name, namespace }: ServiceView): string {
  return `${name}.${namespace}.svc.${CLUSTER_DOMAIN}`;
}

function endpointName(service: ServiceView, endpoint: EndpointView): string {
  return `${labelOf(endpoint)}.${nameOf(service)}`;
}

function labelOf({ hostname, ip }: EndpointView): string {
  return hostname ?? ip.replaceAll(/[.:]+/g, '-');
}

function serviceRecords(name: string, service: ServiceView, type: RecordType): NamesReply {
  const { externalName, clusterIp, endpoints } = service;
  if (externalName !== undefined) {
    return found([{ type: 'CNAME', name, ttl: TTL, data: externalName }], { outside: externalName });
  }
  if (type === 'SRV') {
    const all = service.ports.map((port) => portTargets(name, service, port));
    return found(
      all.flatMap(({ answers }) => answers),
      { additionals: all.flatMap(({ additionals }) => additionals) },
    );
  }
  return found(addressRecords(name, clusterIp === undefined ? endpoints : [{ ip: clusterIp, ports: {} }], type));
}

function addressRecords(name: string, endpoints: readonly EndpointView[], type: RecordType): Answer[] {
  if (type !== 'A' && type !== 'AAAA') return [];
  const ips = new Set(endpoints.map(({ ip }) => ip).filter((ip) => ip.includes(':') === (type === 'AAAA')));
  return [...ips].map((data) => ({ type, name, ttl: TTL, data }));
}

function portRecords(
  name: string,
  service: ServiceView,
  wanted: { readonly port: string; readonly protocol: string },
  type: RecordType,
): NamesReply {
  const protocol = PROTOCOLS.find((known) => `_${known}` === wanted.protocol);
  const port = service.ports.find((each) => `_${each.name}` === wanted.port && each.protocol === protocol);
  if (port === undefined || port.name === '') return NO_NAME;
  if (type !== 'SRV') return NO_DATA;
  const { answers, additionals } = portTargets(name, service, port);
  return found(answers, { additionals });
}

/** The name that serves the port, or the name of each endpoint that does, with their addresses. */
function portTargets(name: string, service: ServiceView, { name: portName, port }: PortView) {
  const targets =
    service.clusterIp === undefined
      ? service.endpoints.flatMap((endpoint) => {
          const number = endpoint.ports[portName];
          return number === undefined
            ? []
            : [{ target: endpointName(service, endpoint), port: number, ip: endpoint.ip }];
        })
      : [{ target: nameOf(service), port, ip: service.clusterIp }];
  const weight = Math.max(1, Math.floor(100 / Math.max(1, targets.length)));
  const unique = [...new Map(targets.map((each) => [`${each.target} ${each.port}`, each])).values()];
  return {
    answers: unique.map(
      (each): Answer => ({
        type: 'SRV',
        name,
        ttl: TTL,
        data: { priority: 0, weight, port: each.port, target: each.target },
      }),
    ),
    additionals: unique.map(
      ({ target, ip }): Answer => ({ type: ip.includes(':') ? 'AAAA' : 'A', name: target, ttl: TTL, data: ip }),
    ),
  };
}
