/** What a PodDisruptionBudget allows at the moment. Pure. */
import type { Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '@skerry/api/types';
import { withCondition } from '../conditions.ts';
import { countOf } from '../deployment/bounds.ts';
import { hasEnded, isReady, isTerminating } from '../pod-facts.ts';
import { formatTime, parseTime } from '../timestamps.ts';

/** An eviction that was allowed and whose pod still stands after this long did not happen. */
const DISRUPTION_TIMEOUT_MS = 2 * 60_000;

/** Whoever keeps a number of pods. */
export interface Scale {
  readonly uid: string;
  readonly replicas: number;
}

export interface BudgetInput {
  readonly budget: PodDisruptionBudget;
  /** The pods that it selects. */
  readonly pods: readonly Pod[];
  readonly scaleOf: (pod: Pod) => Scale | undefined;
  readonly isReachable: (pod: Pod) => boolean;
  readonly now: number;
}

export interface BudgetPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** Selected pods that nobody would make again: a share of them cannot be told. */
  readonly unmanaged: number;
  readonly recheckAfterMs: number | undefined;
}

export function planBudget(input: BudgetInput): BudgetPlan {
  const { budget, now } = input;
  const pods = input.pods.filter((pod) => !hasEnded(pod));
  const disrupted = stillDisrupted(budget, pods, now);
  const healthy = pods.filter(
    (pod) => isReady(pod) && !isTerminating(pod) && input.isReachable(pod) && !disrupted.has(pod.metadata.name ?? ''),
  ).length;
  const { expected, desired, unmanaged } = wantedOf(input, pods);
  const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0;
  const { generation = 0 } = budget.metadata;
  const waits = [...disrupted.values()].map((since) => since + DISRUPTION_TIMEOUT_MS - now);
  return {
    status: {
      observedGeneration: generation,
      disruptionsAllowed: allowed,
      currentHealthy: healthy,
      desiredHealthy: desired,
      expectedPods: expected,
      ...(disrupted.size === 0 ? {} : { disruptedPods: formatDisrupted(disrupted) }),
      conditions: conditionsOf(budget, allowed > 0, now),
    },
    unmanaged,
    recheckAfterMs: waits.length === 0 ? undefined : Math.max(1, Math.min(...waits)),
  };
}

function stillDisrupted({ status }: PodDisruptionBudget, pods: readonly Pod[], now: number): Map<string, number> {
  const staying = new Set(pods.filter((pod) => !isTerminating(pod)).map(({ metadata }) => metadata.name));
  const entries = Object.entries(status?.disruptedPods ?? {}).flatMap(([name, at]): [string, number][] => {
    const since = parseTime(at);
    const isOpen = since !== undefined && now - since < DISRUPTION_TIMEOUT_MS && staying.has(name);
    return isOpen ? [[name, since]] : [];
  });
  return new Map(entries);
}

function formatDisrupted(disrupted: ReadonlyMap<string, number>): Record<string, string> {
  return Object.fromEntries([...disrupted].map(([name, since]) => [name, formatTime(since)]));
}

interface Wanted {
  readonly expected: number;
  readonly desired: number;
  readonly unmanaged: number;
}

function wantedOf({ budget, scaleOf }: BudgetInput, pods: readonly Pod[]): Wanted {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  if (maxUnavailable === undefined && typeof minAvailable === 'number') {
    return { expected: pods.length, desired: minAvailable, unmanaged: 0 };
  }
  const scales = pods.map(scaleOf);
  const replicas = new Map(scales.filter((scale) => scale !== undefined).map((scale) => [scale.uid, scale.replicas]));
  const expected = [...replicas.values()].reduce((sum, count) => sum + count, 0);
  const unmanaged = scales.filter((scale) => scale === undefined).length;
  const desired =
    maxUnavailable === undefined
      ? countOf(minAvailable ?? 0, expected, Math.ceil)
      : Math.max(0, expected - countOf(maxUnavailable, expected, Math.ceil));
  return { expected, desired, unmanaged };
}

function conditionsOf({ metadata, status }: PodDisruptionBudget, isAllowed: boolean, now: number): Condition[] {
  const condition: Condition = {
    type: 'DisruptionAllowed',
    status: isAllowed ? 'True' : 'False',
    reason: isAllowed ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    lastTransitionTime: formatTime(now),
    observedGeneration: metadata.generation ?? 0,
  };
  return withCondition(status?.conditions, condition).map((each) =>
    each.type === condition.type ? { ...each, observedGeneration: condition.observedGeneration ?? 0 } : each,
  );
}
