/** Services get a cluster IP and node ports that nobody else has, and keep them. */
import { isIPv4 } from 'node:net';
import type { KubeObject } from '@skerry/api';
import type { RandomBytes } from '@skerry/base';
import { keyPrefix } from '../../store/key.ts';
import { type AdmissionStep, type Admitted, type Engine, fault } from '../engine.ts';
import { invalid, unavailable } from '../statuses.ts';
import { isFor } from './lookup.ts';

const NETWORK: readonly number[] = [10, 96, 0, 0];
const PREFIX_LENGTH = 12;
/** The lowest addresses are left to those who ask for one by number. */
const STATIC_BAND = 256;
const FIRST_NODE_PORT = 30_000;
const LAST_NODE_PORT = 32_767;
const STATIC_PORT_BAND = 86;

interface ServicePort {
  name?: string;
  port?: number;
  protocol?: string;
  nodePort?: number;
}

interface ServiceSpec {
  type?: string;
  clusterIP?: string;
  clusterIPs?: string[];
  ipFamilies?: string[];
  ipFamilyPolicy?: string;
  ports?: ServicePort[];
  healthCheckNodePort?: number;
  externalTrafficPolicy?: string;
  internalTrafficPolicy?: string;
  allocateLoadBalancerNodePorts?: boolean;
}

interface Taken {
  readonly ips: ReadonlySet<string>;
  /** Further ranges, as CIDRs. */
  readonly ranges: readonly string[];
  /** `protocol/port`. */
  readonly ports: ReadonlySet<string>;
}

export const serviceAddresses: AdmissionStep = {
  name: 'ServiceAddresses',
  admit: (engine, admitted) => {
    if (admitted.operation === 'DELETE' || admitted.subresource !== undefined || !isFor(admitted, '', 'services'))
      return;
    const spec = serviceSpec(admitted.object);
    if (admitted.old !== undefined) keepAllocated(serviceSpec(admitted.old), spec);
    if (!needsClusterIp(spec) && !needsNodePorts(spec)) {
      if (spec.type === 'ExternalName') dropAddresses(spec);
      return;
    }
    const taken = takenByOthers(engine, admitted);
    if (needsClusterIp(spec)) assignClusterIp(engine.random, admitted, spec, taken);
    if (needsNodePorts(spec)) assignNodePorts(engine.random, admitted, spec, taken);
  },
};

function serviceSpec(service: KubeObject): ServiceSpec {
  if (typeof service['spec'] !== 'object' || service['spec'] === null) service['spec'] = {};
  return service['spec'] as ServiceSpec;
}

function needsClusterIp({ type, clusterIP }: ServiceSpec): boolean {
  return type !== 'ExternalName' && clusterIP !== 'None';
}

function needsNodePorts({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean {
  return type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);
}

function dropAddresses(spec: ServiceSpec): void {
  delete spec.clusterIP;
  delete spec.clusterIPs;
  for (const port of spec.ports ?? []) delete port.nodePort;
}

/** Who updates a service without its addresses means the ones it has. */
function keepAllocated(old: ServiceSpec, spec: ServiceSpec): void {
  if (needsClusterIp(spec) && old.type !== 'ExternalName') {
    spec.clusterIP ||= old.clusterIP ?? '';
    if (spec.clusterIPs === undefined && old.clusterIPs !== undefined) spec.clusterIPs = old.clusterIPs;
    spec.ipFamilies ??= old.ipFamilies ?? ['IPv4'];
  }
  if (!needsNodePorts(spec) || !needsNodePorts(old)) return;
  for (const port of spec.ports ?? []) {
    const before = old.ports?.find((one) => one.port === port.port && one.protocol === port.protocol);
    if (port.nodePort === undefined && before?.nodePort !== undefined) port.nodePort = before.nodePort;
  }
}

function takenByOthers({ store }: Engine, { namespace, name }: Admitted): Taken {
  const ips = new Set<string>();
  const ports = new Set<string>();
  for (const { json } of store.list(keyPrefix('', 'services')).items) {
    const { metadata, spec } = JSON.parse(json) as KubeObject & { spec?: ServiceSpec };
    if (metadata.name === name && metadata.namespace === namespace) continue;
    for (const ip of spec?.clusterIPs ?? [spec?.clusterIP ?? '']) ips.add(ip);
    for (const { nodePort, protocol } of spec?.ports ?? []) if (nodePort) ports.add(`${protocol ?? 'TCP'}/${nodePort}`);
  }
  for (const ip of reservedByOthers(store, { namespace, name })) ips.add(ip);
  return { ips, ports, ranges: furtherRanges(store) };
}

const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';

interface AddressSpec {
  readonly parentRef?: { readonly namespace?: string; readonly name?: string };
}

/** Addresses that somebody has written down for another Service. What we write down ourselves is what Services say. */
function reservedByOthers(store: Engine['store'], of: { readonly namespace: string; readonly name: string }): string[] {
  return store.list(keyPrefix('networking.k8s.io', 'ipaddresses')).items.flatMap(({ json }) => {
    const { metadata, spec } = JSON.parse(json) as KubeObject & { spec?: AddressSpec };
    if (metadata.labels?.[MANAGED_BY] !== undefined) return [];
    const isOwn = spec?.parentRef?.namespace === of.namespace && spec.parentRef.name === of.name;
    return isOwn ? [] : [metadata.name ?? ''];
  });
}

/** Of ranges that stay. They give the addresses that are asked for by number. */
function furtherRanges(store: Engine['store']): string[] {
  return store.list(keyPrefix('networking.k8s.io', 'servicecidrs')).items.flatMap(({ json }) => {
    const { metadata, spec } = JSON.parse(json) as KubeObject & { spec?: { readonly cidrs?: readonly string[] } };
    return metadata.deletionTimestamp === undefined ? [...(spec?.cidrs ?? [])] : [];
  });
}

function assignClusterIp(random: RandomBytes, admitted: Admitted, spec: ServiceSpec, { ips, ranges }: Taken): void {
  const wanted = spec.clusterIP || spec.clusterIPs?.[0];
  if (wanted === undefined || wanted === '') {
    spec.clusterIP = draw(
      random,
      STATIC_BAND,
      2 ** (32 - PREFIX_LENGTH) - 2,
      (offset) => !ips.has(addressAt(offset)),
      addressAt,
    );
  } else {
    spec.clusterIP = wanted;
    if (!isInNetwork(wanted) && !ranges.some((range) => isInRange(range, wanted)))
      refuseIp(admitted, wanted, `the provided IP (${wanted}) is not in the service network`);
    if (ips.has(wanted))
      refuseIp(admitted, wanted, `failed to allocate IP ${wanted}: provided IP is already allocated`);
  }
  spec.clusterIPs = [spec.clusterIP];
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
}

function assignNodePorts(random: RandomBytes, admitted: Admitted, spec: ServiceSpec, { ports }: Taken): void {
  const taken = new Set(ports);
  for (const [index, port] of (spec.ports ?? []).entries()) {
    const protocol = port.protocol ?? 'TCP';
    const key = (number: number) => `${protocol}/${number}`;
    if (port.nodePort) checkNodePort(admitted, index, port.nodePort, taken.has(key(port.nodePort)));
    else {
      const isFree = (number: number) => !taken.has(key(number));
      port.nodePort = draw(random, FIRST_NODE_PORT + STATIC_PORT_BAND, LAST_NODE_PORT, isFree, (number) => number);
    }
    taken.add(key(port.nodePort));
  }
}

function checkNodePort({ kind, name }: Admitted, index: number, port: number, isTaken: boolean): void {
  if (port >= FIRST_NODE_PORT && port <= LAST_NODE_PORT && !isTaken) return;
  const why = isTaken
    ? 'provided port is already allocated'
    : `provided port is not in the valid range. The range of valid ports is ${FIRST_NODE_PORT}-${LAST_NODE_PORT}`;
  const path = `spec.ports[${index}].nodePort`;
  throw invalid(kind.row.gvk, name, [fault('FieldValueInvalid', path, `Invalid value: ${port}: ${why}`)]);
}

function refuseIp({ kind, name }: Admitted, ip: string, why: string): never {
  const text = `Invalid value: ["${ip}"]: ${why}`;
  throw invalid(kind.row.gvk, name, [fault('FieldValueInvalid', 'spec.clusterIPs', text)]);
}

/** The first free number from a random start on, so that a full range is noticed and a free one found. */
function draw<T>(
  random: RandomBytes,
  first: number,
  last: number,
  isFree: (number: number) => boolean,
  toResult: (number: number) => T,
): T {
  const size = last - first + 1;
  const bytes = random(4);
  const start = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) % size;
  for (let step = 0; step < size; step++) {
    const number = first + ((start + step) % size);
    if (isFree(number)) return toResult(number);
  }
  throw unavailable('every number of the range is taken');
}

function addressAt(offset: number): string {
  const base = NETWORK.reduce((sum, byte) => sum * 256 + byte, 0) + offset;
  return [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.');
}

function isInRange(range: string, ip: string): boolean {
  const [base = '', bits = ''] = range.split('/');
  const size = 2 ** (32 - Number(bits));
  const [first, wanted] = [numberOf(base), numberOf(ip)];
  return first !== undefined && wanted !== undefined && Math.floor(first / size) === Math.floor(wanted / size);
}

/** An IPv4 address as a number; undefined when it is none. */
function numberOf(ip: string): number | undefined {
  return isIPv4(ip) ? ip.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0) : undefined;
}

function isInNetwork(ip: string): boolean {
  const bytes = ip.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255)) return false;
  const [first, second = 0] = bytes;
  const [base, start = 0] = NETWORK;
  return first === base && second >= start && second < start + 16;
}
