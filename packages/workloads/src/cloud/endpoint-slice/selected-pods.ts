/** Services and the pods they select, and which Services a change concerns. */
import type { KubeObject } from '@skerry/api';
import { type LabelSelector, selectorFromMap } from '@skerry/api/selectors';
import type { Node, Pod, Service } from '@skerry/api/types';
import { type Change, type Informer, keyOf } from '@skerry/kube/controller';
import { isSelecting } from '../../endpoints/service-endpoints.ts';
import type { CloudContext } from '../context.ts';
import { isReachable } from '../node-facts.ts';
import { isReady } from '../pod-facts.ts';
import { indexByNode, podsOn } from '../pods-by-node.ts';
import { NODES, PODS, SERVICES } from '../resources.ts';

export interface SelectedPods {
  readonly services: Informer<Service>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  podsOf(service: Service): readonly Pod[];
  servicesOfPod(change: Change<Pod>): readonly string[];
  servicesOfNode(change: Change<Node>): readonly string[];
}

export function selectedPods({ informers }: CloudContext): SelectedPods {
  const services = informers.informer<Service>({ gvr: SERVICES });
  const pods = informers.informer<Pod>({ gvr: PODS });
  const nodes = informers.informer<Node>({ gvr: NODES });
  indexByNode(pods);

  const servicesFor = (...versions: readonly Pod[]): readonly string[] => {
    const keys = new Set<string>();
    for (const { metadata } of versions) {
      for (const service of services.cache.inNamespace(metadata.namespace ?? '')) {
        if (selectorOf(service).matches(metadata.labels)) keys.add(keyOf(service));
      }
    }
    return [...keys];
  };
  return {
    services,
    pods,
    nodes,
    podsOf: (service) => {
      const selector = selectorOf(service);
      const candidates = pods.cache.inNamespace(service.metadata.namespace ?? '');
      return candidates.filter(({ metadata }) => selector.matches(metadata.labels));
    },
    servicesOfPod: ({ object, previous }) => {
      if (previous === undefined) return servicesFor(object);
      return shownOf(object) === shownOf(previous) ? [] : servicesFor(object, previous);
    },
    servicesOfNode: ({ type, object, previous }) => {
      if (type === 'update' && isReachable(object) === isReachable(previous)) return [];
      return servicesFor(...podsOn(pods, object.metadata.name ?? ''));
    },
  };
}

const compiled = new WeakMap<KubeObject, LabelSelector>();

function selectorOf(service: Service): LabelSelector {
  const known = compiled.get(service);
  if (known !== undefined) return known;
  const selector = isSelecting(service) ? selectorFromMap(service.spec?.selector) : selectorFromMap({});
  compiled.set(service, selector);
  return selector;
}

/** What an endpoint shows of a pod: other changes concern no Service. */
function shownOf(pod: Pod): string {
  const { metadata, spec, status } = pod;
  return JSON.stringify([
    metadata.labels,
    metadata.deletionTimestamp !== undefined,
    spec?.nodeName,
    status?.phase,
    status?.podIP,
    status?.podIPs,
    isReady(pod),
  ]);
}
