/** What a Deployment's status says, and how far its rollout is. Pure. */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '@skerry/api/types';
import { findCondition, withCondition, withoutCondition } from '../conditions.ts';
import { WAITING_FOR_NODES } from '../cut-off.ts';
import { formatTime, parseTime } from '../timestamps.ts';
import { availableReplicas, maxUnavailable, replicasOf, totalReplicas } from './bounds.ts';

/** A deadline so long that there is none. */
const NO_DEADLINE = 2 ** 31 - 1;

export interface Counts {
  readonly deployment: Deployment;
  readonly current: ReplicaSet | undefined;
  readonly all: readonly ReplicaSet[];
  readonly now: number;
}

/** Numbers and availability; the conditions about progress come from `progressConditions`. */
export function countStatus({ deployment, current, all, now }: Counts): DeploymentStatus {
  const available = availableReplicas(all);
  const { collisionCount, conditions } = deployment.status ?? {};
  const isAvailable = available >= replicasOf(deployment) - maxUnavailable(deployment);
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(all, 'replicas'),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(all, 'readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, totalReplicas(all) - available),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: withCondition(
      conditions,
      condition(now, 'Available', isAvailable, {
        reason: isAvailable ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
        message: `Deployment ${isAvailable ? 'has' : 'does not have'} minimum availability.`,
      }),
    ),
  };
}

export interface Progress {
  readonly counts: Counts;
  readonly status: DeploymentStatus;
  /** The ReplicaSet of today was made, or found, in this very round. */
  readonly news: 'created' | 'found' | undefined;
  /** Pods on cut-off nodes are waited for. */
  readonly waits: boolean;
  /** Nothing else is. */
  readonly isOnlyWaiting: boolean;
}

/** The conditions with the rollout's progress and failures in them. */
export function progressConditions(progress: Progress): DeploymentCondition[] {
  const { counts, status, news } = progress;
  const { deployment, current, all, now } = counts;
  const started = hasDeadline(deployment)
    ? withStart(status.conditions, counts, news)
    : withoutCondition(status.conditions, 'Progressing');
  const progressed = hasDeadline(deployment) ? withProgress(started, progress) : started;
  const failure = replicaFailure(all, current);
  if (failure === undefined) return withoutCondition(progressed, 'ReplicaFailure');
  const { reason = '', message = '' } = failure;
  return withCondition(progressed, condition(now, 'ReplicaFailure', failure.status === 'True', { reason, message }));
}

function withStart(
  conditions: readonly DeploymentCondition[] | undefined,
  { now, current }: Counts,
  news: Progress['news'],
): DeploymentCondition[] {
  const name = current?.metadata.name;
  if (news === 'created') {
    const told = { reason: 'NewReplicaSetCreated', message: `Created new replica set "${name}"` };
    return withCondition(conditions, condition(now, 'Progressing', true, told));
  }
  if (news === 'found' && findCondition(conditions, 'Progressing') === undefined) {
    const told = { reason: 'FoundNewReplicaSet', message: `Found new replica set "${name}"` };
    return withCondition(conditions, condition(now, 'Progressing', true, told));
  }
  return [...(conditions ?? [])];
}

function withProgress(
  conditions: readonly DeploymentCondition[],
  { counts: { deployment, current, now }, status, waits, isOnlyWaiting }: Progress,
): DeploymentCondition[] {
  const known = findCondition(conditions, 'Progressing');
  if (isOver({ ...status, conditions: [...conditions] })) return [...conditions];
  const name = current?.metadata.name;
  const subject = name === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${name}"`;
  if (isComplete(deployment, status)) {
    const told = { reason: 'NewReplicaSetAvailable', message: `${subject} has successfully progressed.` };
    return withCondition(conditions, condition(now, 'Progressing', true, told));
  }
  // A node that is back gets the whole deadline for its share.
  const isBack = !waits && findCondition(deployment.status?.conditions, WAITING_FOR_NODES) !== undefined;
  if (isBack || hasProgressed(deployment.status, status)) {
    const told = { reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` };
    return restarted(conditions, condition(now, 'Progressing', true, told), known);
  }
  if (!isOnlyWaiting && isTimedOut(deployment, known, now)) {
    const told = { reason: 'ProgressDeadlineExceeded', message: `${subject} has timed out progressing.` };
    return withCondition(conditions, condition(now, 'Progressing', false, told));
  }
  return [...conditions];
}

/** Progress moves the update time, from which the deadline counts, even where status and reason are the same. */
function restarted(
  conditions: readonly DeploymentCondition[],
  next: DeploymentCondition,
  known: DeploymentCondition | undefined,
): DeploymentCondition[] {
  const since =
    known?.status === next.status && known.lastTransitionTime !== undefined
      ? { lastTransitionTime: known.lastTransitionTime }
      : {};
  return [...withoutCondition(conditions, next.type), { ...next, ...since }];
}

/** Pausing and resuming stop the deadline's clock. */
export function pauseConditions(deployment: Deployment, now: number): readonly DeploymentCondition[] | undefined {
  if (!hasDeadline(deployment)) return undefined;
  const conditions = deployment.status?.conditions;
  const known = findCondition(conditions, 'Progressing');
  if (known?.reason === 'ProgressDeadlineExceeded') return undefined;
  const isPaused = deployment.spec?.paused === true;
  const saysPaused = known?.reason === 'DeploymentPaused';
  if (isPaused === saysPaused) return undefined;
  const told = isPaused
    ? { reason: 'DeploymentPaused', message: 'Deployment is paused' }
    : { reason: 'DeploymentResumed', message: 'Deployment is resumed' };
  return withCondition(conditions, { ...condition(now, 'Progressing', false, told), status: 'Unknown' });
}

/** It has ended well before, and nothing of the past has come back. */
export function isOver({ conditions, replicas, updatedReplicas }: DeploymentStatus): boolean {
  return replicas === updatedReplicas && findCondition(conditions, 'Progressing')?.reason === 'NewReplicaSetAvailable';
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  return (
    status.updatedReplicas === wanted &&
    status.replicas === wanted &&
    status.availableReplicas === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const updated = (status: DeploymentStatus | undefined) => status?.updatedReplicas ?? 0;
  const old = (status: DeploymentStatus | undefined) => (status?.replicas ?? 0) - updated(status);
  return (
    updated(after) > updated(before) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

/** Milliseconds until the rollout is late; undefined when it has no deadline, is over, or is late already. */
export function untilDeadline(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const known = findCondition(status.conditions, 'Progressing');
  if (!hasDeadline(deployment) || known === undefined || deployment.spec?.paused === true) return undefined;
  if (known.reason === 'ProgressDeadlineExceeded' || known.reason === 'NewReplicaSetAvailable') return undefined;
  return Math.max(0, deadlineOf(deployment, known) - now);
}

function isTimedOut(deployment: Deployment, known: DeploymentCondition | undefined, now: number): boolean {
  if (known === undefined || known.reason === 'NewReplicaSetAvailable') return false;
  return known.reason === 'ProgressDeadlineExceeded' || deadlineOf(deployment, known) <= now;
}

function deadlineOf({ spec }: Deployment, { lastUpdateTime, lastTransitionTime }: DeploymentCondition): number {
  const since = parseTime(lastUpdateTime) ?? parseTime(lastTransitionTime) ?? 0;
  return since + (spec?.progressDeadlineSeconds ?? 0) * 1000;
}

function hasDeadline({ spec }: Deployment): boolean {
  return spec?.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== NO_DEADLINE;
}

function replicaFailure(all: readonly ReplicaSet[], current: ReplicaSet | undefined) {
  const ordered = current === undefined ? all : [current, ...all];
  for (const { status } of ordered) {
    const failure = findCondition(status?.conditions, 'ReplicaFailure');
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function condition(
  now: number,
  type: string,
  status: boolean,
  told: { readonly reason: string; readonly message: string },
): DeploymentCondition {
  const at = formatTime(now);
  return { type, status: status ? 'True' : 'False', ...told, lastUpdateTime: at, lastTransitionTime: at };
}

function sum(replicaSets: readonly ReplicaSet[], field: 'replicas' | 'readyReplicas'): number {
  return replicaSets.reduce((total, { status }) => total + (status?.[field] ?? 0), 0);
}
