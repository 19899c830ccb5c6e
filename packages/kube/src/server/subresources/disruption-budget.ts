/** What an eviction takes from a PodDisruptionBudget, in one step with the question whether it may. */
import { isStatus, StatusError } from '@skerry/api';
import { selectorFromObject } from '@skerry/api/selectors';
import type { Pod, PodDisruptionBudget } from '@skerry/api/types';
import type { StoredObject } from '../../store/contract.ts';
import { keyPrefix } from '../../store/key.ts';
import { type Engine, nowText } from '../engine.ts';
import { toServedObject, toStoredJson } from '../object-text.ts';
import { tooManyRequests } from '../statuses.ts';

/** Evictions that meet at one budget try again; one that loses so often is told to come back. */
const MAX_ATTEMPTS = 8;
/** A budget whose evicted pods are still standing holds at most so many names. */
const MAX_DISRUPTED = 2000;
const RETRY_SECONDS = 10;
const VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget.";

/** Resolves when the eviction is allowed and counted; rejects with 429 when it is not. */
export async function takeFromBudget(engine: Engine, pod: Pod, dryRun: boolean): Promise<void> {
  if (disturbsNobody(pod)) return;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const stored = budgetOf(engine, pod);
    if (stored === undefined) return;
    const next = afterEviction(toServedObject(stored) as PodDisruptionBudget, pod, nowText(engine.clock));
    if (next === undefined || dryRun) return;
    try {
      await engine.store.put(stored.key, toStoredJson(next), { ifRevision: stored.revision });
      return;
    } catch (error) {
      if (!isStatus(error, 'Conflict', 'NotFound')) throw error;
    }
  }
  throw tooManyRequests('the disruption budget changes too fast; try again', RETRY_SECONDS);
}

/** Pods that have ended or end already, or were never ready to run. */
function disturbsNobody({ metadata, status }: Pod): boolean {
  const phase = status?.phase;
  return metadata.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending';
}

function budgetOf(engine: Engine, { metadata }: Pod): StoredObject | undefined {
  const { items } = engine.store.list(keyPrefix('policy', 'poddisruptionbudgets', metadata.namespace ?? ''));
  const matching = items.filter((item) => {
    const budget = toServedObject(item) as PodDisruptionBudget;
    return selectorFromObject(budget.spec?.selector).matches(metadata.labels);
  });
  if (matching.length <= 1) return matching[0];
  const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
  throw new StatusError(500, 'InternalError', message);
}

/** The budget with the eviction counted; undefined when it need not be. Throws when it may not happen. */
function afterEviction(budget: PodDisruptionBudget, pod: Pod, now: string): PodDisruptionBudget | undefined {
  const { metadata, spec, status = {} } = budget;
  const { disruptionsAllowed = 0, currentHealthy = 0, desiredHealthy = 0, disruptedPods = {} } = status;
  if (!isReady(pod)) {
    if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return undefined;
    if (desiredHealthy > 0 && currentHealthy >= desiredHealthy) return undefined;
  }
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    throw refusal(`The disruption budget ${metadata.name} is still being processed by the server.`);
  }
  if (disruptionsAllowed <= 0) {
    throw refusal(
      `The disruption budget ${metadata.name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
    );
  }
  if (Object.keys(disruptedPods).length >= MAX_DISRUPTED) {
    throw refusal(`The disruption budget ${metadata.name} waits for too many evicted pods to end`);
  }
  return {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: disruptionsAllowed - 1,
      disruptedPods: { ...disruptedPods, [pod.metadata.name ?? '']: now },
    },
  };
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

function refusal(message: string): StatusError {
  return new StatusError(429, 'TooManyRequests', VIOLATES, {
    causes: [{ reason: 'DisruptionBudget', message }],
    retryAfterSeconds: RETRY_SECONDS,
  });
}
