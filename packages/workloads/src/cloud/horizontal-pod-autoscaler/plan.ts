/** From what the metrics ask for to the size that is set, and what the status says of it. Pure. */
import type { HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerSpec } from '@skerry/api/types';
import type { Judged } from './metrics.ts';
import { type History, pace } from './pace.ts';

export type Condition = Pick<HorizontalPodAutoscalerCondition, 'type' | 'status' | 'reason' | 'message'>;

export interface ScalingFacts {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly current: number;
  /** Asked only where the size is neither fixed nor out of bounds. */
  readonly judged: readonly Judged[];
  readonly history: History;
  readonly now: number;
}

export interface ScalingPlan {
  readonly replicas: number;
  /** Why the size changes, for the event. */
  readonly reason: string;
  readonly conditions: readonly Condition[];
  readonly history: History;
  /** Nothing could be said; the event tells why. */
  readonly failure?: { readonly reason: string; readonly message: string };
}

/** The size that follows without asking any metric; undefined when they must be asked. */
export function planUnmeasured({
  spec,
  current,
  history,
}: Omit<ScalingFacts, 'judged' | 'now'>): ScalingPlan | undefined {
  const { minReplicas = 1, maxReplicas } = spec;
  const to = (replicas: number, reason: string): ScalingPlan => ({ replicas, reason, conditions: [], history });
  if (current === 0 && minReplicas !== 0) {
    const message = 'scaling is disabled since the replica count of the target is zero';
    const condition = { type: 'ScalingActive', status: 'False', reason: 'ScalingDisabled', message };
    return { ...to(0, ''), conditions: [condition] };
  }
  if (current > maxReplicas) return to(maxReplicas, 'Current number of replicas above Spec.MaxReplicas');
  if (current < minReplicas) return to(minReplicas, 'Current number of replicas below Spec.MinReplicas');
  return undefined;
}

export function planScaling(facts: ScalingFacts): ScalingPlan {
  const { spec, current, judged, history, now } = facts;
  const valid = judged.filter((each) => 'replicas' in each);
  const invalid = judged.filter((each) => 'problem' in each);
  const [problem] = invalid;
  const highest = valid.reduce<(typeof valid)[number] | undefined>(
    (most, each) => (most === undefined || each.replicas > most.replicas ? each : most),
    undefined,
  );
  // With a metric unknown the size may grow by the others, and never shrinks.
  if (highest === undefined || (problem !== undefined && highest.replicas < current)) {
    return unable(facts, problem ?? { reason: 'InvalidMetricSourceType', problem: 'no metric is given' });
  }
  const paced = pace({ spec, current, wanted: highest.replicas, history, now });
  return {
    replicas: paced.replicas,
    reason: paced.replicas > current ? `${highest.name} above target` : 'All metrics below target',
    conditions: [
      { type: 'AbleToScale', ...paced.ableToScale },
      { type: 'ScalingActive', ...foundBy(highest.name) },
      { type: 'ScalingLimited', ...paced.scalingLimited },
    ],
    history: paced.history,
  };
}

function foundBy(name: string): Omit<Condition, 'type'> {
  const message = `the HPA was able to successfully calculate a replica count from ${name}`;
  return { status: 'True', reason: 'ValidMetricFound', message };
}

function unable(
  { current, history }: ScalingFacts,
  { reason, problem }: Extract<Judged, { problem: string }>,
): ScalingPlan {
  const message = `the HPA was unable to compute the replica count: ${problem}`;
  return {
    replicas: current,
    reason: '',
    conditions: [{ type: 'ScalingActive', status: 'False', reason, message }],
    history,
    failure: { reason, message: problem },
  };
}
