/** Small objects for the tests of the replica. */
import type { Gvr, KubeObject, Ref } from '@skerry/api';

export const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' };
export const NODES: Gvr = { group: '', version: 'v1', resource: 'nodes' };
export const EVENTS: Gvr = { group: '', version: 'v1', resource: 'events' };
export const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };
export const SECRETS: Gvr = { group: '', version: 'v1', resource: 'secrets' };
export const LEASES: Gvr = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' };
const NAMESPACE = 'default';

export function refTo(gvr: Gvr, name: string): Ref {
  return gvr === NODES ? { gvr, name } : { gvr, namespace: NAMESPACE, name };
}

export interface PodParts {
  readonly name: string;
  readonly nodeName?: string;
  readonly configMap?: string;
  readonly secret?: string;
  readonly serviceAccountName?: string;
}

export function pod({ name, nodeName, configMap, secret, serviceAccountName }: PodParts): KubeObject {
  const volumes = [
    ...(configMap === undefined ? [] : [{ name: 'config', configMap: { name: configMap } }]),
    ...(secret === undefined ? [] : [{ name: 'secret', secret: { secretName: secret } }]),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
      containers: [{ name: 'main', image: 'host', command: ['sleep', '1'] }],
      volumes,
    },
  };
}

export function configMap(name: string, value: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE }, data: { value } };
}

export function secret(name: string, value: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: NAMESPACE },
    type: 'Opaque',
    data: { value: Buffer.from(value).toString('base64') },
  };
}

export function node(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {}, status: {} };
}

export function event(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: NAMESPACE },
    involvedObject: { kind: 'Pod', namespace: NAMESPACE, name: 'any' },
    reason: 'Tested',
    message: name,
    type: 'Normal',
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
    count: 1,
  };
}
