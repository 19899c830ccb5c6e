/** Follows what this node's Services are made of, and keeps of it only what they need. */
import type { EndpointSlice, Pod, Service } from '@skerry/api/types';
import { type Informer, type InformerContext, startInformer } from '@skerry/kube/controller';
import type { NodeWorld } from './service-view.ts';

const SERVICES = { group: '', version: 'v1', resource: 'services' };
const PODS = { group: '', version: 'v1', resource: 'pods' };
const SLICES = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' };

/** Slices made from pods say nothing that the pods of this node do not say sooner. */
const BY_HAND = 'endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io';

export interface FollowedWorld {
  readonly synced: Promise<unknown>;
  readonly pods: Informer<Pod>;
  read(): Pick<NodeWorld, 'services' | 'slices' | 'pods'>;
}

export function abortOf(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

export function followWorld(context: InformerContext, node: string, onChange: () => void): FollowedWorld {
  const services = startInformer<Service>(context, { gvr: SERVICES, transform: leanService });
  const slices = startInformer<EndpointSlice>(context, { gvr: SLICES, labelSelector: BY_HAND });
  const pods = startInformer<Pod>(context, { gvr: PODS, fieldSelector: `spec.nodeName=${node}`, transform: leanPod });
  services.onChange(onChange);
  slices.onChange(onChange);
  pods.onChange(({ type, object, previous }) => {
    if (type !== 'update' || shownOf(object) !== shownOf(previous)) onChange();
  });
  return {
    synced: Promise.all([services.synced, slices.synced, pods.synced]),
    pods,
    read: () => ({ services: services.cache.list(), slices: slices.cache.list(), pods: pods.cache.list() }),
  };
}

function leanService({ apiVersion, kind, metadata, spec, status }: Service): Service {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata;
  const { loadBalancer } = status ?? {};
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion },
    ...(spec === undefined ? {} : { spec }),
    ...(loadBalancer?.ingress === undefined ? {} : { status: { loadBalancer } }),
  };
}

function leanPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { name = '', namespace = '', uid = '', resourceVersion = '', labels = {}, deletionTimestamp } = metadata;
  const { containers = [], initContainers = [], hostname, subdomain, hostNetwork, nodeName } = spec ?? {};
  const { phase, podIP, podIPs, hostIP, conditions = [] } = status ?? {};
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion, labels, ...defined({ deletionTimestamp }) },
    spec: {
      containers: containers.map(({ name: own, ports }) => ({ name: own, ...defined({ ports }) })),
      initContainers: initContainers.map(({ name: own, ports, restartPolicy }) => ({
        name: own,
        ...defined({ ports, restartPolicy }),
      })),
      ...defined({ hostname, subdomain, hostNetwork, nodeName }),
    },
    status: {
      conditions: conditions
        .filter(({ type }) => type === 'Ready')
        .map(({ type, status: is }) => ({ type, status: is })),
      ...defined({ phase, podIP, podIPs, hostIP }),
    },
  };
}

function shownOf({ metadata: { resourceVersion: _dropped, ...metadata }, spec, status }: Pod): string {
  return JSON.stringify([metadata, spec, status]);
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function defined<T extends object>(fields: T): Partial<Defined<T>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Defined<T>>;
}
