/** Services and what leads to them. */
import { at, type JsonObject, numberAt, objectsAt, textAt } from '../json.ts';
import {
  AGE,
  column,
  joinOrNone,
  labelsText,
  NAME,
  type Printer,
  printer,
  selectorText,
  text,
  wide,
} from './printer.ts';

/** Longer lists end with how many more there are. */
const MAX_LISTED = 3;

export const networkPrinters: Readonly<Record<string, Printer>> = {
  '/Service': printer(
    NAME,
    column('Type', text('spec.type')),
    column('Cluster-IP', text('spec.clusterIP', '<none>')),
    column('External-IP', externalAddress),
    column('Port(s)', servicePorts),
    AGE,
    wide('Selector', labelsText('spec.selector')),
  ),
  '/Endpoints': printer(NAME, column('Endpoints', endpoints), AGE),
  'discovery.k8s.io/EndpointSlice': printer(
    NAME,
    column('AddressType', text('addressType')),
    column('Ports', slicePorts),
    column('Endpoints', sliceAddresses),
    AGE,
  ),
  'networking.k8s.io/Ingress': printer(
    NAME,
    column('Class', text('spec.ingressClassName', '<none>')),
    column('Hosts', ingressHosts),
    column('Address', (ingress) => loadBalancerAddresses(ingress).join(',')),
    column('Ports', (ingress) => (objectsAt(ingress, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
    AGE,
  ),
  'networking.k8s.io/IngressClass': printer(
    NAME,
    column('Controller', text('spec.controller')),
    column('Parameters', (ingressClass) => {
      const name = textAt(ingressClass, 'spec', 'parameters', 'name');
      if (name === '') return '<none>';
      const group = textAt(ingressClass, 'spec', 'parameters', 'apiGroup');
      return `${textAt(ingressClass, 'spec', 'parameters', 'kind')}${group === '' ? '' : `.${group}`}/${name}`;
    }),
    AGE,
  ),
  'networking.k8s.io/NetworkPolicy': printer(NAME, column('Pod-Selector', selectorText('spec.podSelector')), AGE),
};

function loadBalancerAddresses(object: JsonObject): string[] {
  return objectsAt(object, 'status', 'loadBalancer', 'ingress')
    .map((ingress) => textAt(ingress, 'ip') || textAt(ingress, 'hostname'))
    .filter((address) => address !== '');
}

function externalAddress(service: JsonObject): string {
  const own = at(service, 'spec', 'externalIPs');
  const addresses = Array.isArray(own) ? own.map(String) : [];
  switch (textAt(service, 'spec', 'type')) {
    case 'ExternalName':
      return textAt(service, 'spec', 'externalName');
    case 'LoadBalancer': {
      const all = [...loadBalancerAddresses(service), ...addresses];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    default:
      return joinOrNone(addresses);
  }
}

function servicePorts(service: JsonObject): string {
  return joinOrNone(
    objectsAt(service, 'spec', 'ports').map((port) => {
      const nodePort = numberAt(port, 'nodePort');
      return `${numberAt(port, 'port')}${nodePort === 0 ? '' : `:${nodePort}`}/${textAt(port, 'protocol')}`;
    }),
  );
}

function endpoints(object: JsonObject): string {
  const pairs = objectsAt(object, 'subsets').flatMap((subset) => {
    const addresses = objectsAt(subset, 'addresses').map((address) => textAt(address, 'ip'));
    const ports = objectsAt(subset, 'ports').map((port) => numberAt(port, 'port'));
    return ports.length === 0 ? addresses : ports.flatMap((port) => addresses.map((address) => `${address}:${port}`));
  });
  return shortened(pairs, '<none>', ' + ');
}

function slicePorts(slice: JsonObject): string {
  const ports = objectsAt(slice, 'ports').map((port) => (port['port'] === undefined ? '*' : String(port['port'])));
  return shortened(ports, '<unset>');
}

function sliceAddresses(slice: JsonObject): string {
  const addresses = objectsAt(slice, 'endpoints').flatMap((endpoint) => {
    const list = at(endpoint, 'addresses');
    return Array.isArray(list) ? list.map(String) : [];
  });
  return shortened(addresses, '<unset>');
}

function shortened(values: readonly string[], none: string, before = ' + '): string {
  if (values.length === 0) return none;
  const shown = values.slice(0, MAX_LISTED).join(',');
  return values.length > MAX_LISTED ? `${shown}${before}${values.length - MAX_LISTED} more...` : shown;
}

function ingressHosts(ingress: JsonObject): string {
  const hosts = objectsAt(ingress, 'spec', 'rules').map((rule) => textAt(rule, 'host') || '*');
  return hosts.length === 0 ? '*' : shortened([...new Set(hosts)], '*');
}
