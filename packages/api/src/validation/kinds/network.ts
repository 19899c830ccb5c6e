/** Services, slices, ingresses and network policies. */
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from '../../json.ts';
import { forbidden, invalid, required, tooMany } from '../../walker/field-errors.ts';
import { checkDnsLabel, checkDnsSubdomain, checkPortNumber } from '../names.ts';
import { eachItem, type Faults, isAbsent, named, oneOf, present, problems, Unique } from './checks.ts';
import { checkPortReference } from './container.ts';
import { endpointAddressFault, isAddress, NOT_AN_ADDRESS } from './endpoint-address.ts';
import { checkLabels } from './meta.ts';
import { immutable, type KindRules } from './rules.ts';
import { checkSelector } from './selectors.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const SERVICE_TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;
const MAX_SLICE_PORTS = 20_000;

export const networkRules: Readonly<Record<string, KindRules>> = {
  '/Endpoints': { check: checkEndpoints },
  '/Service': { check: checkService, update: checkServiceUpdate },
  'discovery.k8s.io/EndpointSlice': { check: checkEndpointSlice, update: immutable('addressType') },
  'networking.k8s.io/Ingress': { check: checkIngress },
  'networking.k8s.io/NetworkPolicy': { check: checkNetworkPolicy },
};

function checkService(faults: Faults, service: JsonObject): void {
  const spec = objectAt(service, 'spec');
  const { type, clusterIP, ports } = spec;
  oneOf(faults, 'spec.type', type, SERVICE_TYPES, true);
  oneOf(faults, 'spec.sessionAffinity', spec['sessionAffinity'], ['ClientIP', 'None'], true);
  checkLabels(faults, 'spec.selector', spec['selector']);
  if (type === 'ExternalName') {
    named(faults, 'spec.externalName', String(spec['externalName'] ?? '').replace(/\.$/, ''), checkDnsSubdomain);
    if (!isAbsent(clusterIP)) faults.push(forbidden('spec.clusterIP', 'may not be set for ExternalName services'));
  } else checkClusterAddresses(faults, spec);
  const count = Array.isArray(ports) ? ports.length : 0;
  if (count === 0 && clusterIP !== 'None' && type !== 'ExternalName') faults.push(required('spec.ports'));
  checkServicePorts(faults, spec, count > 1);
  for (const [index, address] of listOf(spec['externalIPs']).entries()) {
    if (!isAddress(address)) faults.push(invalid(`spec.externalIPs[${index}]`, address, NOT_AN_ADDRESS));
  }
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function checkClusterAddresses(faults: Faults, spec: JsonObject): void {
  const { clusterIP, clusterIPs } = spec;
  const addresses = listOf(clusterIPs);
  if (!isAbsent(clusterIP) && addresses.length > 0 && addresses[0] !== clusterIP) {
    faults.push(invalid('spec.clusterIPs', addresses, 'first value must match `clusterIP`'));
  }
  for (const [index, address] of addresses.entries()) {
    const isNone = address === 'None' && index === 0 && addresses.length === 1;
    if (!isNone && !isAddress(address)) faults.push(invalid(`spec.clusterIPs[${index}]`, address, NOT_AN_ADDRESS));
  }
  if (clusterIP === 'None' && spec['type'] !== 'ClusterIP') {
    faults.push(
      invalid('spec.clusterIPs[0]', clusterIP, `may not be set to 'None' for ${String(spec['type'])} services`),
    );
  }
}

function checkServicePorts(faults: Faults, spec: JsonObject, isNameRequired: boolean): void {
  const names = new Unique(faults);
  const numbers = new Unique(faults);
  const nodePorts = new Unique(faults);
  const isNodePortType = spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer';
  for (const [port, at] of eachItem(faults, 'spec.ports', spec['ports'])) {
    const { name, protocol, nodePort } = port;
    if (isNameRequired && isAbsent(name)) faults.push(required(`${at}.name`));
    if (!isAbsent(name)) {
      problems(faults, `${at}.name`, name, checkDnsLabel(String(name)));
      names.add(`${at}.name`, name);
    }
    problems(faults, `${at}.port`, port['port'] ?? 0, checkPortNumber(port['port']));
    oneOf(faults, `${at}.protocol`, protocol, PROTOCOLS, true);
    checkPortReference(faults, `${at}.targetPort`, port['targetPort']);
    numbers.add(at, [protocol, port['port']], port);
    if (nodePort === undefined || nodePort === 0) continue;
    if (!isNodePortType)
      faults.push(forbidden(`${at}.nodePort`, "may not be used when `type` is '".concat(String(spec['type']), "'")));
    problems(faults, `${at}.nodePort`, nodePort, checkPortNumber(nodePort));
    nodePorts.add(`${at}.nodePort`, [protocol, nodePort], nodePort);
  }
}

function checkServiceUpdate(faults: Faults, service: JsonObject, old: JsonObject): void {
  const before = textAt(old, 'spec', 'clusterIP');
  const wanted = textAt(service, 'spec', 'clusterIP');
  const isFixed = textAt(old, 'spec', 'type') !== 'ExternalName' && textAt(service, 'spec', 'type') !== 'ExternalName';
  if (isFixed && before !== '' && wanted !== before) {
    faults.push(invalid('spec.clusterIPs[0]', wanted, 'may not change once set'));
  }
}

function checkEndpointSlice(faults: Faults, slice: JsonObject): void {
  const type = slice['addressType'];
  oneOf(faults, 'addressType', type, ['FQDN', 'IPv4', 'IPv6'], true);
  const endpoints = listOf(slice['endpoints']);
  if (endpoints.length > MAX_ENDPOINTS) {
    faults.push(tooMany('endpoints', endpoints.length, MAX_ENDPOINTS));
    return;
  }
  const isOwn = isOfApi(slice);
  for (const [endpoint, at] of eachItem(faults, 'endpoints', endpoints))
    checkEndpoint(faults, at, endpoint, type, isOwn);
  const ports = listOf(slice['ports']);
  if (ports.length > MAX_SLICE_PORTS) faults.push(tooMany('ports', ports.length, MAX_SLICE_PORTS));
  const names = new Unique(faults);
  for (const [port, at] of eachItem(faults, 'ports', ports)) {
    const name = port['name'] ?? '';
    names.add(`${at}.name`, name);
    if (name !== '') problems(faults, `${at}.name`, name, checkDnsLabel(String(name)));
    oneOf(faults, `${at}.protocol`, port['protocol'], PROTOCOLS, true);
  }
}

function checkEndpoint(faults: Faults, path: string, endpoint: JsonObject, type: unknown, isOwn: boolean): void {
  const addresses = listOf(endpoint['addresses']);
  if (addresses.length === 0) faults.push(required(`${path}.addresses`, 'must contain at least 1 address'));
  if (addresses.length > MAX_ADDRESSES) faults.push(tooMany(`${path}.addresses`, addresses.length, MAX_ADDRESSES));
  for (const [index, address] of addresses.slice(0, MAX_ADDRESSES).entries()) {
    const at = `${path}.addresses[${index}]`;
    if (type === 'FQDN') problems(faults, at, address, checkDnsSubdomain(String(address)));
    else checkEndpointAddress(faults, at, address, isOwn || isOfPod(endpoint));
  }
}

function checkEndpoints(faults: Faults, endpoints: JsonObject): void {
  const isOwn = isOfApi(endpoints);
  for (const [subset, at] of eachItem(faults, 'subsets', endpoints['subsets'])) {
    for (const field of ['addresses', 'notReadyAddresses'])
      for (const [address, addressAt] of eachItem(faults, `${at}.${field}`, subset[field]))
        checkEndpointAddress(faults, `${addressAt}.ip`, address['ip'], isOwn || isOfPod(address));
  }
}

/** `isFound`: it says where something is, which may be a machine that has no network but its own. */
function checkEndpointAddress(faults: Faults, at: string, address: unknown, isFound: boolean): void {
  const fault = isFound && isAddress(address) ? undefined : endpointAddressFault(address);
  if (fault !== undefined) faults.push(invalid(at, address, fault));
}

/** Of the Service `kubernetes`: nodes have an API of their own in its place. */
function isOfApi(object: JsonObject): boolean {
  return textAt(object, 'metadata', 'namespace') === 'default' && textAt(object, 'metadata', 'name') === 'kubernetes';
}

/** Nodes go by their pods themselves, and lead nobody to a loopback address that a slice claims for one. */
function isOfPod(endpoint: JsonObject): boolean {
  return textAt(endpoint, 'targetRef', 'kind') === 'Pod';
}

function checkIngress(faults: Faults, ingress: JsonObject): void {
  const spec = objectAt(ingress, 'spec');
  const { defaultBackend, rules } = spec;
  if (!isObject(defaultBackend) && listOf(rules).length === 0) {
    faults.push(invalid('spec', rules ?? null, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (isObject(defaultBackend)) checkBackend(faults, 'spec.defaultBackend', defaultBackend);
  for (const [rule, at] of eachItem(faults, 'spec.rules', rules)) {
    const host = textAt(rule, 'host');
    if (isAddress(host)) faults.push(invalid(`${at}.host`, host, 'must be a DNS name, not an IP address'));
    else if (host !== '') problems(faults, `${at}.host`, host, checkDnsSubdomain(host.replace(/^\*\./, '')));
    const http = objectAt(rule, 'http');
    if (isObject(rule['http']) && listOf(http['paths']).length === 0) faults.push(required(`${at}.http.paths`));
    for (const [path, pathAt] of eachItem(faults, `${at}.http.paths`, http['paths']))
      checkIngressPath(faults, pathAt, path);
  }
}

function checkIngressPath(faults: Faults, at: string, path: JsonObject): void {
  if (isAbsent(path['pathType'])) faults.push(required(`${at}.pathType`, 'pathType must be specified'));
  else oneOf(faults, `${at}.pathType`, path['pathType'], ['Exact', 'ImplementationSpecific', 'Prefix']);
  const text = textAt(path, 'path');
  if (path['pathType'] !== 'ImplementationSpecific' && !text.startsWith('/')) {
    faults.push(invalid(`${at}.path`, text, 'must be an absolute path'));
  }
  checkBackend(faults, `${at}.backend`, objectAt(path, 'backend'));
}

function checkBackend(faults: Faults, path: string, backend: JsonObject): void {
  const { service, resource } = backend;
  if (isObject(service) && isObject(resource))
    faults.push(invalid(path, '', 'cannot set both resource and service backends'));
  if (isObject(resource)) return;
  const named = objectAt(backend, 'service');
  if (!present(faults, `${path}.service.name`, named['name'])) return;
  const { name, number } = objectAt(named, 'port');
  if (isAbsent(name) && (number === undefined || number === 0))
    faults.push(required(`${path}.service.port`, 'port name or number is required'));
  else if (typeof number === 'number' && number !== 0)
    problems(faults, `${path}.service.port.number`, number, checkPortNumber(number));
}

function checkNetworkPolicy(faults: Faults, policy: JsonObject): void {
  const spec = objectAt(policy, 'spec');
  checkSelector(faults, 'spec.podSelector', spec['podSelector']);
  for (const [index, type] of listOf(spec['policyTypes']).entries()) {
    oneOf(faults, `spec.policyTypes[${index}]`, type, ['Egress', 'Ingress'], true);
  }
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const) {
    for (const [rule, at] of eachItem(faults, `spec.${direction}`, spec[direction])) {
      for (const [index, peer] of objectsAt(rule, peers).entries()) checkPeer(faults, `${at}.${peers}[${index}]`, peer);
    }
  }
}

function checkPeer(faults: Faults, path: string, peer: JsonObject): void {
  checkSelector(faults, `${path}.podSelector`, peer['podSelector']);
  checkSelector(faults, `${path}.namespaceSelector`, peer['namespaceSelector']);
  const hasSelector = isObject(peer['podSelector']) || isObject(peer['namespaceSelector']);
  if (!isObject(peer['ipBlock'])) {
    if (!hasSelector) faults.push(required(path, 'must specify a peer'));
    return;
  }
  if (hasSelector) faults.push(forbidden(path, 'may not specify both ipBlock and another peer'));
  present(faults, `${path}.ipBlock.cidr`, peer['ipBlock']['cidr']);
}
