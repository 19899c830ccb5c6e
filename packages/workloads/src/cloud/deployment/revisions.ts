/** Which ReplicaSet is the one of today, which are yesterday's, and how a Deployment's history is written on them. */
import type { Deployment, ReplicaSet } from '@skerry/api/types';
import { isSameTemplate } from '../pod-template.ts';
import { createdAt } from '../timestamps.ts';
import { maxSurge, replicasOf } from './bounds.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** What belongs to the Deployment or to the ReplicaSet itself and is not copied from one to the other. */
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

/** The history annotation keeps at most so many characters; the oldest revisions go first. */
const MAX_HISTORY_LENGTH = 2000;

/** The ReplicaSet whose template is the Deployment's; the oldest, should there be several. */
export function findNew(deployment: Deployment, replicaSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const template = deployment.spec?.template ?? {};
  return byAge(replicaSets).find(({ spec }) => isSameTemplate(spec?.template ?? {}, template));
}

export function byAge(replicaSets: readonly ReplicaSet[]): ReplicaSet[] {
  return [...replicaSets].sort(
    (left, right) =>
      createdAt(left) - createdAt(right) || ((left.metadata.name ?? '') < (right.metadata.name ?? '') ? -1 : 1),
  );
}

export function revisionOf({ metadata }: ReplicaSet): number {
  const revision = Number(metadata.annotations?.[REVISION] ?? 0);
  return Number.isSafeInteger(revision) ? revision : 0;
}

export function nextRevision(old: readonly ReplicaSet[]): number {
  return Math.max(0, ...old.map(revisionOf)) + 1;
}

/** The annotations that the ReplicaSet of today should have; the same object when it has them. */
export function annotationsOfNew(
  deployment: Deployment,
  annotations: Readonly<Record<string, string>>,
  revision: number,
): Readonly<Record<string, string>> {
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([key, value]) => !NOT_COPIED.has(key) && annotations[key] !== value,
  );
  const current = annotations[REVISION];
  const isOlder = Number(current ?? 0) < revision;
  if (copied.length === 0 && !isOlder) return annotations;
  const result = { ...annotations, ...Object.fromEntries(copied) };
  if (!isOlder) return result;
  return {
    ...result,
    [REVISION]: String(revision),
    ...(current === undefined ? {} : { [REVISION_HISTORY]: appendHistory(annotations[REVISION_HISTORY], current) }),
  };
}

function appendHistory(history: string | undefined, revision: string): string {
  const revisions = history === undefined || history === '' ? [revision] : [...history.split(','), revision];
  while (revisions.length > 1 && revisions.join(',').length > MAX_HISTORY_LENGTH) revisions.shift();
  return revisions.join(',');
}

/** Says on a ReplicaSet for which size of the Deployment it was last sized. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const replicas = replicasOf(deployment);
  return { [DESIRED_REPLICAS]: String(replicas), [MAX_REPLICAS]: String(replicas + maxSurge(deployment)) };
}

export function desiredReplicasOf({ metadata }: ReplicaSet): number | undefined {
  return numberIn(metadata.annotations?.[DESIRED_REPLICAS]);
}

export function maxReplicasOf({ metadata }: ReplicaSet): number | undefined {
  return numberIn(metadata.annotations?.[MAX_REPLICAS]);
}

function numberIn(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || !Number.isSafeInteger(value) ? undefined : value;
}
