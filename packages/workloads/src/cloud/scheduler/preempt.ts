/** Preemption: which pods of lower priority would have to go so that a pod fits somewhere. The cluster is left as it was found. */
import { selectorFromObject } from '@skerry/api/selectors';
import type { Pod, PodDisruptionBudget } from '@skerry/api/types';
import { keyOf } from '@skerry/kube/controller';
import { isTerminating } from '../pod-facts.ts';
import { createdAt } from '../timestamps.ts';
import type { Cluster } from './cluster.ts';

/** So many nodes are tried; more would make one pod hold up all others. */
const MAX_CANDIDATES = 50;

export interface Preemption {
  readonly node: string;
  /** Never empty. */
  readonly victims: readonly Pod[];
}

export interface PreemptionInput {
  readonly pod: Pod;
  readonly cluster: Cluster;
  /** Whether the pod fits on the node as the cluster is at the moment. */
  readonly fits: (node: string) => boolean;
  readonly budgets: readonly PodDisruptionBudget[];
}

export function priorityOf({ spec }: Pod): number {
  return spec?.priority ?? 0;
}

export function planPreemption(input: PreemptionInput): Preemption | undefined {
  const { pod, cluster } = input;
  if (pod.spec?.preemptionPolicy === 'Never' || isMakingRoom(input)) return undefined;
  const options: Option[] = [];
  for (const { name, pods } of cluster.views()) {
    const lower = [...pods.values()].filter((each) => priorityOf(each) < priorityOf(pod) && !isTerminating(each));
    const option = lower.length === 0 ? undefined : optionOn(name, lower, input);
    if (option !== undefined) options.push(option);
    if (options.length === MAX_CANDIDATES) break;
  }
  const [best] = options.sort(compareOptions);
  return best === undefined ? undefined : { node: best.node, victims: best.victims };
}

/** Room is made already: the victims are on their way out of the node that was promised. */
function isMakingRoom({ pod, cluster }: PreemptionInput): boolean {
  const promised = pod.status?.nominatedNodeName;
  const view = cluster.views().find(({ name }) => name === promised);
  return [...(view?.pods.values() ?? [])].some((each) => isTerminating(each) && priorityOf(each) < priorityOf(pod));
}

interface Option extends Preemption {
  /** Victims that a disruption budget would rather keep. */
  readonly violations: number;
}

/** All of lower priority go, then as many as possible come back: those that a budget protects and the important ones first. */
function optionOn(
  node: string,
  lower: readonly Pod[],
  { cluster, fits, budgets }: PreemptionInput,
): Option | undefined {
  for (const each of lower) cluster.remove(keyOf(each));
  const victims: Pod[] = [];
  let violations = 0;
  try {
    if (!fits(node)) return undefined;
    const protectedPods = protectedBy(budgets, lower);
    const order = [...lower].sort(
      (left, right) =>
        Number(protectedPods.has(right)) - Number(protectedPods.has(left)) ||
        priorityOf(right) - priorityOf(left) ||
        createdAt(left) - createdAt(right),
    );
    for (const each of order) {
      cluster.place(each, node);
      if (fits(node)) continue;
      cluster.remove(keyOf(each));
      victims.push(each);
      violations += Number(protectedPods.has(each));
    }
  } finally {
    for (const each of lower) cluster.place(each, node);
  }
  return victims.length === 0 ? undefined : { node, victims, violations };
}

/** The pods whose going would be more than their budgets allow. */
function protectedBy(budgets: readonly PodDisruptionBudget[], pods: readonly Pod[]): ReadonlySet<Pod> {
  const found = new Set<Pod>();
  for (const { metadata, spec, status } of budgets) {
    const selector = selectorFromObject(spec?.selector);
    const matching = pods.filter(
      (pod) => pod.metadata.namespace === metadata.namespace && selector.matches(pod.metadata.labels),
    );
    const byImportance = matching.sort((left, right) => priorityOf(left) - priorityOf(right));
    for (const pod of byImportance.slice(Math.max(0, status?.disruptionsAllowed ?? 0))) found.add(pod);
  }
  return found;
}

/** Fewest budgets violated, then the least important victims, then the fewest, then the youngest. */
function compareOptions(left: Option, right: Option): number {
  const rankOf = ({ violations, victims }: Option) => [
    violations,
    Math.max(...victims.map(priorityOf)),
    victims.length,
    -Math.min(...victims.map(createdAt)),
  ];
  const [ours, theirs] = [rankOf(left), rankOf(right)];
  const difference = ours.map((value, index) => value - (theirs[index] ?? 0)).find((each) => each !== 0);
  return difference ?? 0;
}
