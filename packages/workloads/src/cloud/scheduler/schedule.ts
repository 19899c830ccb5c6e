/** The decision for one pod: a node, or every reason why there is none. Pure. */
import type { Pod } from '@skerry/api/types';
import { type Amounts, requestsOf } from '../../fit/requests.ts';
import { type Cluster, keepsOthersAway, type NodeView } from './cluster.ts';
import { checkNodeAffinity, checkPorts, checkResources, checkTaints, checkUnschedulable } from './node-rules.ts';
import {
  affinityRule,
  antiAffinityRule,
  existingAntiAffinityRule,
  type NamespaceLabels,
  type PodRule,
  spreadRule,
} from './pod-rules.ts';
import { rank } from './scores.ts';
import type { ClaimsOfPod } from './volume-rules.ts';

export type ScheduleResult =
  | { readonly kind: 'fits'; readonly node: string }
  /** `message` is what the event and the condition say. */
  | { readonly kind: 'unschedulable'; readonly message: string };

/** Enough nodes to choose well among; a fleet of ten thousand need not all be scored for one pod. */
const ENOUGH_CANDIDATES = 200;

const NO_CLAIMS: Pick<ClaimsOfPod, 'problem' | 'check'> = { problem: undefined, check: () => undefined };

export function schedule(
  pod: Pod,
  cluster: Cluster,
  labelsOf: NamespaceLabels = () => undefined,
  claims: Pick<ClaimsOfPod, 'problem' | 'check'> = NO_CLAIMS,
): ScheduleResult {
  const views = cluster.views();
  if (claims.problem !== undefined) {
    return { kind: 'unschedulable', message: explain(views.length, new Map([[claims.problem, undefined]])) };
  }
  const requests = requestsOf(pod);
  const rules = [{ check: ({ node }: NodeView) => claims.check(node) }, ...podRules(pod, cluster, views, labelsOf)];
  const reasons = new Map<string, number>();
  const fitting: NodeView[] = [];
  for (const view of views) {
    const problems = problemsOn(view, pod, requests, rules);
    if (problems.length === 0) fitting.push(view);
    for (const problem of problems) reasons.set(problem, (reasons.get(problem) ?? 0) + 1);
    if (fitting.length === ENOUGH_CANDIDATES) break;
  }
  const [best] = rank(fitting, { pod, requests, views, labelsOf });
  if (best !== undefined) return { kind: 'fits', node: best.view.name };
  return { kind: 'unschedulable', message: explain(views.length, reasons) };
}

/** Whether the pod could be on this one node, as the cluster is at the moment. */
export function fitsOn(
  name: string,
  pod: Pod,
  cluster: Cluster,
  { labelsOf = () => undefined, claims = NO_CLAIMS }: FitOptions = {},
): boolean {
  const views = cluster.views();
  const view = views.find((each) => each.name === name);
  if (view === undefined || claims.problem !== undefined || claims.check(view.node) !== undefined) return false;
  return problemsOn(view, pod, requestsOf(pod), podRules(pod, cluster, views, labelsOf)).length === 0;
}

export interface FitOptions {
  readonly labelsOf?: NamespaceLabels;
  readonly claims?: Pick<ClaimsOfPod, 'problem' | 'check'>;
}

function podRules(
  pod: Pod,
  cluster: Cluster,
  views: readonly NodeView[],
  labelsOf: NamespaceLabels,
): readonly PodRule[] {
  const rules = [affinityRule(pod, views, labelsOf), spreadRule(pod, views)];
  if (keepsOthersAway(pod)) rules.push(antiAffinityRule(pod, views, labelsOf));
  if (cluster.hasAntiAffinity) rules.push(existingAntiAffinityRule(pod, views, labelsOf));
  return rules.filter((rule) => rule !== undefined);
}

/** The first rule that is broken speaks for the node, except for resources, of which all that are short are named. */
function problemsOn(view: NodeView, pod: Pod, requests: Amounts, rules: readonly PodRule[]): readonly string[] {
  const simple =
    checkUnschedulable(pod, view) ?? checkTaints(pod, view) ?? checkNodeAffinity(pod, view) ?? checkPorts(pod, view);
  if (simple !== undefined) return [simple];
  const short = checkResources(requests, view);
  if (short.length > 0) return short;
  for (const rule of rules) {
    const verdict = rule.check(view);
    if (verdict !== undefined) return [verdict];
  }
  return [];
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
function explain(total: number, reasons: ReadonlyMap<string, number | undefined>): string {
  if (total === 0) return 'no nodes available to schedule pods';
  const listed = [...reasons].map(([reason, count]) => (count === undefined ? reason : `${count} ${reason}`)).sort();
  return `0/${total} nodes are available: ${listed.join(', ')}.`;
}
