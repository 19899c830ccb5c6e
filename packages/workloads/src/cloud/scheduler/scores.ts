/** Which of the nodes that fit is best. Each score is 0 to 100 before its weight, as in kube-scheduler. */
import type { Pod } from '@skerry/api/types';
import { matchesTerm } from '../../fit/node-affinity.ts';
import type { Amounts } from '../../fit/requests.ts';
import type { NodeView } from './cluster.ts';
import { toleratesTaint } from './node-rules.ts';
import { type NamespaceLabels, preferenceScorer, spreadsOf } from './pod-rules.ts';

const MAX_SCORE = 100;

/** Requests that a pod without any is taken to have, so that a hundred of them do not all land on one node. */
const ASSUMED: Amounts = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024 * 1000],
]);

/** The weights of kube-scheduler's default profile. */
const WEIGHT = {
  resources: 1,
  balance: 1,
  taints: 3,
  nodeAffinity: 2,
  podAffinity: 2,
  spread: 2,
  siblings: 2,
} as const;

export interface Candidate {
  readonly view: NodeView;
  readonly score: number;
}

export interface ScoreContext {
  readonly pod: Pod;
  readonly requests: Amounts;
  /** All nodes, since domains reach beyond those that fit. */
  readonly views: readonly NodeView[];
  readonly labelsOf: NamespaceLabels;
}

/** Scores the nodes that fit, best first; equal scores keep the given order. */
export function rank(fitting: readonly NodeView[], context: ScoreContext): readonly Candidate[] {
  const totals = fitting.map((view) => fitScore(view, context.requests));
  for (const [weight, raw] of relativeScores(fitting, context)) {
    normalize(raw).forEach((score, index) => {
      totals[index] = (totals[index] ?? 0) + weight * score;
    });
  }
  return fitting.map((view, index) => ({ view, score: totals[index] ?? 0 })).sort((a, b) => b.score - a.score);
}

/** Least allocated, and evenly allocated, of cpu and memory. */
function fitScore({ allocatable, requested, pods }: NodeView, requests: Amounts): number {
  const fractions = [...ASSUMED].flatMap(([resource, assumed]) => {
    const total = allocatable.get(resource) ?? 0;
    if (total === 0) return [];
    const unnamed = (requested.get(resource) ?? 0) === 0 ? pods.size * assumed : (requested.get(resource) ?? 0);
    return [Math.min(1, (unnamed + (requests.get(resource) || assumed)) / total)];
  });
  if (fractions.length === 0) return 0;
  const mean = fractions.reduce((sum, each) => sum + each, 0) / fractions.length;
  const deviation = Math.sqrt(fractions.reduce((sum, each) => sum + (each - mean) ** 2, 0) / fractions.length);
  return WEIGHT.resources * (1 - mean) * MAX_SCORE + WEIGHT.balance * (1 - deviation) * MAX_SCORE;
}

function* relativeScores(
  fitting: readonly NodeView[],
  context: ScoreContext,
): Generator<readonly [number, readonly number[]]> {
  const { pod, views, labelsOf } = context;
  yield [WEIGHT.taints, fitting.map((view) => -untoleratedPreferences(pod, view))];
  const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  if (preferred.length > 0) {
    const weightOn = ({ node }: NodeView) =>
      preferred.reduce((sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0), 0);
    yield [WEIGHT.nodeAffinity, fitting.map(weightOn)];
  }
  const preference = preferenceScorer(pod, views, labelsOf);
  if (preference !== undefined) yield [WEIGHT.podAffinity, fitting.map(preference)];
  for (const { constraint, counts } of spreadsOf(pod, views, 'ScheduleAnyway')) {
    yield [
      WEIGHT.spread,
      fitting.map(({ labels }) => -(counts.get(labels[constraint.topologyKey] ?? '') ?? Number.MAX_SAFE_INTEGER)),
    ];
  }
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
  if (owner !== undefined) yield [WEIGHT.siblings, fitting.map((view) => -siblingsOn(view, owner))];
}

function untoleratedPreferences(pod: Pod, { node }: NodeView): number {
  return (node.spec?.taints ?? []).filter((taint) => taint.effect === 'PreferNoSchedule' && !toleratesTaint(pod, taint))
    .length;
}

/** Replicas of one controller go to different nodes where nothing else decides. */
function siblingsOn({ pods }: NodeView, owner: string): number {
  let count = 0;
  for (const { metadata } of pods.values()) {
    if (metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uid === owner) === true) count++;
  }
  return count;
}

/** Spreads raw values over 0 to 100; all the same means nobody is preferred. */
function normalize(raw: readonly number[]): readonly number[] {
  const lowest = Math.min(...raw);
  const range = Math.max(...raw) - lowest;
  return raw.map((value) => (range === 0 ? 0 : ((value - lowest) / range) * MAX_SCORE));
}
