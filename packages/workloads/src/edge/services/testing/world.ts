/** Services, slices and pods of a node, in few words. */
import type { EndpointSlice, Pod, Service, ServiceSpec } from '@skerry/api/types';
import { type NodeWorld, type ServiceView, viewServices } from '../service-view.ts';

export const HOST_IP = '169.254.100.1';

export function service(name: string, spec: ServiceSpec, namespace = 'shop'): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec };
}

export interface PodWords {
  readonly ip: string;
  readonly app?: string;
  readonly isReady?: boolean;
  readonly isLeaving?: boolean;
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly ports?: Readonly<Record<string, number>>;
  readonly phase?: string;
}

export function pod(name: string, words: PodWords): Pod {
  const {
    ip,
    app = 'web',
    isReady = true,
    isLeaving = false,
    ports = {},
    phase = 'Running',
    hostname,
    subdomain,
  } = words;
  const named = Object.entries(ports).map(([port, containerPort]) => ({ name: port, containerPort }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      labels: { app },
      ...(isLeaving ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: {
      nodeName: 'edge-1',
      containers: [{ name: 'main', ports: named }],
      ...(hostname === undefined ? {} : { hostname }),
      ...(subdomain === undefined ? {} : { subdomain }),
    },
    status: {
      phase: phase as 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    },
  };
}

export function slice(serviceName: string, ips: readonly string[], port: number, portName = ''): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: serviceName, namespace: 'shop', labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: ips.some((ip) => ip.includes(':')) ? 'IPv6' : 'IPv4',
    endpoints: ips.map((ip) => ({ addresses: [ip] })),
    ports: [{ name: portName, protocol: 'TCP', port }],
  };
}

export function viewsOf(world: Partial<NodeWorld>): readonly ServiceView[] {
  return viewServices({ services: [], slices: [], pods: [], hostIp: HOST_IP, ...world });
}

/** The usual Service: port 80, to port 8080 of pods labelled `app: web`. */
export const WEB = service('web', {
  clusterIP: '10.96.7.1',
  selector: { app: 'web' },
  ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
});
