/** How fast a size may change: stabilization windows, scaling policies and the bounds. Pure; what has happened is its input. */
import type { HorizontalPodAutoscalerSpec, HPAScalingPolicy, HPAScalingRules } from '@skerry/api/types';

const SECOND_MS = 1000;
const DEFAULT_DOWN_WINDOW_SECONDS = 300;
/** The longest window or period that validation lets pass; older history has no meaning. */
const HISTORY_MS = 3600 * SECOND_MS;

const UP: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
const DOWN: HPAScalingRules = {
  stabilizationWindowSeconds: DEFAULT_DOWN_WINDOW_SECONDS,
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};

/** At a time, a number: pods that were wanted, or by which the size grew or shrank. */
export interface Mark {
  readonly at: number;
  readonly pods: number;
}

export interface History {
  readonly wanted: readonly Mark[];
  readonly grown: readonly Mark[];
  readonly shrunk: readonly Mark[];
}

export const NO_HISTORY: History = { wanted: [], grown: [], shrunk: [] };

interface Outcome {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

export interface Paced {
  readonly replicas: number;
  readonly ableToScale: Outcome;
  readonly scalingLimited: Outcome;
  readonly history: History;
}

export interface PaceFacts {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly current: number;
  readonly wanted: number;
  readonly history: History;
  readonly now: number;
}

export function pace({ spec, current, wanted, history, now }: PaceFacts): Paced {
  const up = { ...UP, ...spec.behavior?.scaleUp };
  const down = { ...DOWN, ...spec.behavior?.scaleDown };
  // The size found first counts as wanted, so that a restart of this program does not shrink anything at once.
  const known = history.wanted.length === 0 ? [{ at: now, pods: current }] : recent(history.wanted, HISTORY_MS, now);
  const steady = stabilize({ current, wanted, up, down, known, now });
  const limited = limit({ spec, current, wanted: steady, up, down, history, now });
  return {
    replicas: limited.replicas,
    ableToScale: stabilityOf(wanted, steady),
    scalingLimited: limited.outcome,
    history: { ...history, wanted: squeeze([...known, { at: now, pods: wanted }]) },
  };
}

/** What is remembered of a change of size, once it was made. */
export function afterScaling(history: History, { from, to, now }: { from: number; to: number; now: number }): History {
  const grown = recent(history.grown, HISTORY_MS, now);
  const shrunk = recent(history.shrunk, HISTORY_MS, now);
  if (to > from) return { ...history, shrunk, grown: [...grown, { at: now, pods: to - from }] };
  return { ...history, grown, shrunk: [...shrunk, { at: now, pods: from - to }] };
}

// ——— stabilization ———

interface Stabilizing {
  readonly current: number;
  readonly wanted: number;
  readonly up: HPAScalingRules;
  readonly down: HPAScalingRules;
  readonly known: readonly Mark[];
  readonly now: number;
}

/** It grows only to what was wanted all through the window, and shrinks only to the most that was wanted in its own. */
function stabilize({ current, wanted, up, down, known, now }: Stabilizing): number {
  const least = Math.min(wanted, ...sizesWithin(known, up.stabilizationWindowSeconds, now));
  const most = Math.max(
    wanted,
    ...sizesWithin(known, down.stabilizationWindowSeconds ?? DEFAULT_DOWN_WINDOW_SECONDS, now),
  );
  return Math.min(Math.max(current, least), most);
}

function sizesWithin(marks: readonly Mark[], seconds: number | undefined, now: number): number[] {
  return recent(marks, (seconds ?? 0) * SECOND_MS, now).map(({ pods }) => pods);
}

function stabilityOf(wanted: number, steady: number): Outcome {
  if (steady > wanted) {
    const message = 'recent recommendations were higher than current one, applying the highest recent recommendation';
    return { status: 'True', reason: 'ScaleDownStabilized', message };
  }
  if (steady < wanted) {
    const message = 'recent recommendations were lower than current one, applying the lowest recent recommendation';
    return { status: 'True', reason: 'ScaleUpStabilized', message };
  }
  return { status: 'True', reason: 'ReadyForNewScale', message: 'recommended size matches current size' };
}

/** Of equal wishes in a row the first and the last say as much as all of them. */
function squeeze(marks: readonly Mark[]): readonly Mark[] {
  return marks.filter(({ pods }, index) => pods !== marks[index - 1]?.pods || pods !== marks[index + 1]?.pods);
}

// ——— limits ———

interface Limiting extends PaceFacts {
  readonly up: HPAScalingRules;
  readonly down: HPAScalingRules;
}

function limit(facts: Limiting): { readonly replicas: number; readonly outcome: Outcome } {
  const { spec, current, wanted } = facts;
  if (wanted > current) {
    const fastest = Math.max(current, mostAfterGrowth(facts));
    const most = Math.min(fastest, spec.maxReplicas);
    if (wanted > most)
      return { replicas: most, outcome: limited(fastest < spec.maxReplicas ? 'ScaleUpLimit' : 'TooManyReplicas') };
  }
  if (wanted < current) {
    const fastest = Math.min(current, leastAfterShrinking(facts));
    const least = Math.max(fastest, spec.minReplicas ?? 1);
    if (wanted < least) {
      return {
        replicas: least,
        outcome: limited(fastest > (spec.minReplicas ?? 1) ? 'ScaleDownLimit' : 'TooFewReplicas'),
      };
    }
  }
  return { replicas: wanted, outcome: { status: 'False', reason: 'DesiredWithinRange', message: WITHIN } };
}

const WITHIN = 'the desired count is within the acceptable range';
const LIMITS = {
  ScaleUpLimit: 'the desired replica count is increasing faster than the maximum scale rate',
  TooManyReplicas: 'the desired replica count is more than the maximum replica count',
  ScaleDownLimit: 'the desired replica count is decreasing faster than the maximum scale rate',
  TooFewReplicas: 'the desired replica count is less than the minimum replica count',
} as const;

function limited(reason: keyof typeof LIMITS): Outcome {
  return { status: 'True', reason, message: LIMITS[reason] };
}

function mostAfterGrowth({ up, current, history, now }: Limiting): number {
  const sizes = (up.policies ?? []).map((policy) => {
    const before = sizeBefore(policy, { current, history, now });
    return policy.type === 'Pods' ? before + policy.value : Math.ceil(before * (1 + policy.value / 100));
  });
  return pick(up, sizes, current, 'up');
}

function leastAfterShrinking({ down, current, history, now }: Limiting): number {
  const sizes = (down.policies ?? []).map((policy) => {
    const before = sizeBefore(policy, { current, history, now });
    return policy.type === 'Pods' ? before - policy.value : Math.trunc(before * (1 - policy.value / 100));
  });
  return pick(down, sizes, current, 'down');
}

/** The size at the start of the policy's period. */
function sizeBefore(
  { periodSeconds }: HPAScalingPolicy,
  { current, history, now }: Pick<Limiting, 'current' | 'history' | 'now'>,
): number {
  const sum = (marks: readonly Mark[]) => sizesWithin(marks, periodSeconds, now).reduce((all, pods) => all + pods, 0);
  return current - sum(history.grown) + sum(history.shrunk);
}

/** `Max` is the policy of the greatest change, `Min` that of the least. */
function pick(
  { selectPolicy = 'Max' }: HPAScalingRules,
  sizes: readonly number[],
  current: number,
  direction: 'up' | 'down',
): number {
  if (selectPolicy === 'Disabled' || sizes.length === 0) return current;
  const isGreatest = (selectPolicy === 'Max') === (direction === 'up');
  return isGreatest ? Math.max(...sizes) : Math.min(...sizes);
}

function recent(marks: readonly Mark[], withinMs: number, now: number): readonly Mark[] {
  return marks.filter(({ at }) => at > now - withinMs);
}
