/** Whether a DaemonSet's pod belongs on a node. Pure. */
import type { DaemonSet, Node, Pod, PodSpec, Toleration } from '@skerry/api/types';
import { matchesTerm } from '../../fit/node-affinity.ts';
import { tolerates } from '../scheduler/node-rules.ts';

export interface NodeFit {
  /** A pod should be made here when there is none. */
  readonly shouldRun: boolean;
  /** A pod that is here may stay. */
  readonly mayStay: boolean;
}

export function fitNode({ spec }: DaemonSet, node: Node): NodeFit {
  const template = spec?.template.spec;
  if (template === undefined || !isMeant(template, node)) return { shouldRun: false, mayStay: false };
  const tolerations = daemonTolerations(template);
  const untolerated = (node.spec?.taints ?? []).filter(
    (taint) => !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
  const mayStay = untolerated.every(({ effect }) => effect !== 'NoExecute');
  return { shouldRun: mayStay && untolerated.every(({ effect }) => effect !== 'NoSchedule'), mayStay };
}

function isMeant({ nodeName, nodeSelector = {}, affinity }: PodSpec, node: Node): boolean {
  if (nodeName !== undefined && nodeName !== '' && nodeName !== node.metadata.name) return false;
  const { labels = {} } = node.metadata;
  if (!Object.entries(nodeSelector).every(([key, value]) => labels[key] === value)) return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

const TOLERATED: Readonly<Record<string, Toleration['effect']>> = {
  'node.kubernetes.io/not-ready': 'NoExecute',
  'node.kubernetes.io/unreachable': 'NoExecute',
  'node.kubernetes.io/disk-pressure': 'NoSchedule',
  'node.kubernetes.io/memory-pressure': 'NoSchedule',
  'node.kubernetes.io/pid-pressure': 'NoSchedule',
  'node.kubernetes.io/unschedulable': 'NoSchedule',
};

/** The template's tolerations and those that every daemon has: it must be there when the node is in trouble. */
function daemonTolerations({ tolerations = [], hostNetwork }: PodSpec): Toleration[] {
  const network: typeof TOLERATED =
    hostNetwork === true ? { 'node.kubernetes.io/network-unavailable': 'NoSchedule' } : {};
  const added = Object.entries({ ...TOLERATED, ...network }).map(
    ([key, effect]): Toleration => ({ key, operator: 'Exists', ...(effect === undefined ? {} : { effect }) }),
  );
  const isReplaced = (one: Toleration) => added.some(({ key, effect }) => one.key === key && one.effect === effect);
  return [...tolerations.filter((one) => !isReplaced(one)), ...added];
}

/** The template's spec, pinned to one node; the scheduler binds it there and nowhere else. */
export function pinnedSpec(template: PodSpec, node: string): PodSpec {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [node] }] };
  return {
    ...template,
    tolerations: daemonTolerations(template),
    affinity: {
      ...template.affinity,
      nodeAffinity: {
        ...template.affinity?.nodeAffinity,
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
      },
    },
  };
}

/** The node that a daemon's pod is on, or is pinned to. */
export function nodeOfPod({ spec }: Pod): string | undefined {
  if (spec?.nodeName !== undefined && spec.nodeName !== '') return spec.nodeName;
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms) {
    const pin = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (pin !== undefined) return pin.values?.[0];
  }
  return undefined;
}
