/** One round of a Deployment: what to make, resize, delete and say, from what there is. Pure. */
import type { Deployment, DeploymentStatus, Pod, ReplicaSet } from '@skerry/api/types';
import { type CutOffNode, withWaiting } from '../cut-off.ts';
import { controllerReference } from '../owners.ts';
import { POD_TEMPLATE_HASH, templateHash } from '../pod-template.ts';
import { isRollingUpdate, replicasOf } from './bounds.ts';
import { type Held, heldPods, isShareThrough, ofTheWhole, reachableShare, unendedOnes } from './held.ts';
import { annotationsOfNew, findNew, nextRevision, REVISION, revisionOf, sizeAnnotations } from './revisions.ts';
import {
  all,
  isScaling,
  type Members,
  nextSizeOfCurrent,
  type Resize,
  rollingStep,
  scaledSizes,
  withPods,
} from './sizes.ts';
import {
  countStatus,
  isComplete,
  isOver,
  type Progress,
  pauseConditions,
  progressConditions,
  untilDeadline,
} from './status.ts';

export const DEPLOYMENT = { group: 'apps', version: 'v1', kind: 'Deployment' } as const;

export interface DeploymentWorld {
  readonly deployment: Deployment;
  /** All that it controls. */
  readonly replicaSets: readonly ReplicaSet[];
  /** The pods of one of them, those that are on their way out too. */
  readonly podsOf: (replicaSet: ReplicaSet) => readonly Pod[];
  readonly cutOffNode: CutOffNode;
  readonly now: number;
}

export interface DeploymentPlan {
  readonly create?: ReplicaSet;
  /** Whole objects to write, with the size each had before. */
  readonly update: readonly { readonly replicaSet: ReplicaSet; readonly from: number }[];
  readonly remove: readonly ReplicaSet[];
  readonly status: DeploymentStatus;
  /** For the Deployment's own revision annotation. */
  readonly revision?: string;
  readonly recheckAfterMs?: number;
}

export function planDeployment(world: DeploymentWorld): DeploymentPlan {
  const { deployment } = world;
  const members = membersOf(world);
  if (deployment.metadata.deletionTimestamp !== undefined) return finish(world, members, { resizes: [] });
  if (deployment.spec?.paused === true) {
    return finish(world, members, { resizes: scaledSizes(members), remove: outdated(members), isPaused: true });
  }
  if (isScaling(members)) return finish(world, members, { resizes: scaledSizes(members), isScaling: true });
  return isRollingUpdate(deployment) ? planRolling(world, members) : planRecreate(world, members);
}

function membersOf({ deployment, replicaSets }: DeploymentWorld): Members {
  const current = findNew(deployment, replicaSets);
  return { deployment, current, old: replicaSets.filter((replicaSet) => replicaSet !== current) };
}

function planRolling(world: DeploymentWorld, found: Members): DeploymentPlan {
  const held = heldPods(world, found);
  const members = withCurrent(found, held);
  const share = reachableShare(members, held);
  const resizes = rollingStep(share);
  return finish(world, members, {
    resizes: ofTheWhole(resizes, members, held),
    ...startOf(found, members),
    remove: cleanable(world, members),
    waiting: nodesWaitedFor(members, held),
    isOnlyWaiting: resizes.length === 0 && isShareThrough(share),
  });
}

/** New pods out of reach are waited for until the rollout is through; from then on they are as any other. */
function nodesWaitedFor({ deployment, current, old }: Members, held: Held): readonly string[] {
  const isDone = deployment.status !== undefined && isOver(deployment.status);
  return [...old, ...(current === undefined || isDone ? [] : [current])].flatMap((one) => held.nodesOf(one));
}

function planRecreate(world: DeploymentWorld, found: Members): DeploymentPlan {
  const active = withPods(found.old);
  if (active.length > 0) {
    const resizes = active.map((replicaSet) => ({ replicaSet, to: 0 }));
    return finish(world, found, { resizes, news: found.current === undefined ? undefined : 'found' });
  }
  const { unended, nodes } = unendedOnes(world, found.old);
  if (unended.length > 0) {
    return finish(world, found, { resizes: [], waiting: nodes, isOnlyWaiting: nodes.length === unended.length });
  }
  const members = withCurrent(found, heldPods(world, found));
  const { current } = members;
  const wanted = replicasOf(members.deployment);
  return finish(world, members, {
    resizes: current === undefined || replicasOf(current) === wanted ? [] : [{ replicaSet: current, to: wanted }],
    ...startOf(found, members),
    remove: cleanable(world, members),
  });
}

function startOf(found: Members, members: Members): Pick<Steps, 'create' | 'news'> {
  if (found.current !== undefined || members.current === undefined) return { news: 'found' };
  return { create: members.current, news: 'created' };
}

/** The members with today's ReplicaSet among them, which is yet to be made when there was none. */
function withCurrent(members: Members, held: Held): Members {
  if (members.current !== undefined) return members;
  return { ...members, current: newReplicaSet(members, held) };
}

function newReplicaSet(members: Members, held: Held): ReplicaSet {
  const { deployment, old } = members;
  const { name = '', namespace = '' } = deployment.metadata;
  const { template, selector, minReadySeconds } = deployment.spec ?? { template: {} };
  const hash = templateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [POD_TEMPLATE_HASH]: hash };
  const empty: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations: {
        ...annotationsOfNew(deployment, {}, nextRevision(old)),
        ...sizeAnnotations(deployment),
      },
      ownerReferences: [controllerReference(deployment, DEPLOYMENT)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [POD_TEMPLATE_HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
  const share = reachableShare(members, held);
  return { ...empty, spec: { ...empty.spec, replicas: nextSizeOfCurrent(share.deployment, empty, share.old) } };
}

interface Steps {
  readonly resizes: readonly Resize[];
  readonly create?: ReplicaSet;
  readonly remove?: readonly ReplicaSet[];
  readonly news?: Progress['news'];
  readonly isPaused?: boolean;
  readonly isScaling?: boolean;
  /** The node of each pod that is waited for. */
  readonly waiting?: readonly string[];
  /** The deadline stands still: only nodes that are cut off keep the rollout from its end. */
  readonly isOnlyWaiting?: boolean;
}

function finish(world: DeploymentWorld, members: Members, steps: Steps): DeploymentPlan {
  const { deployment, now } = world;
  const { create, remove = [] } = steps;
  const update = updatesOf(members, steps);
  const planned = new Map(update.map(({ replicaSet }) => [replicaSet.metadata.name, replicaSet]));
  const after = all(members).map((replicaSet) => planned.get(replicaSet.metadata.name) ?? replicaSet);
  const current = members.current && (planned.get(members.current.metadata.name) ?? members.current);
  const status = statusOf({ world, members, after, current, steps });
  const revision = current === undefined || revisionOf(current) === 0 ? undefined : String(revisionOf(current));
  const untilLate = steps.isOnlyWaiting === true ? undefined : untilDeadline(deployment, status, now);
  return {
    ...(create === undefined ? {} : { create }),
    update,
    remove,
    status,
    ...(revision === undefined || revision === deployment.metadata.annotations?.[REVISION] ? {} : { revision }),
    // A second more, so that the deadline has passed for certain when it is looked at.
    ...(untilLate === undefined ? {} : { recheckAfterMs: untilLate + 1000 }),
  };
}

function updatesOf(
  members: Members,
  { resizes, create, isPaused, isScaling: scales }: Steps,
): DeploymentPlan['update'] {
  const { deployment, old } = members;
  const sizes = new Map(resizes.map(({ replicaSet, to }) => [replicaSet, to]));
  const changed: { replicaSet: ReplicaSet; from: number }[] = [];
  for (const replicaSet of all(members)) {
    if (replicaSet === create) continue;
    const from = replicasOf(replicaSet);
    const to = sizes.get(replicaSet) ?? from;
    const isSized = sizes.has(replicaSet) || ((isPaused === true || scales === true) && from > 0);
    const annotations = {
      ...(replicaSet === members.current
        ? annotationsOfNew(deployment, replicaSet.metadata.annotations ?? {}, nextRevision(old))
        : replicaSet.metadata.annotations),
      ...(isSized ? sizeAnnotations(deployment) : {}),
    };
    const minReadySeconds =
      replicaSet === members.current
        ? (deployment.spec?.minReadySeconds ?? 0)
        : (replicaSet.spec?.minReadySeconds ?? 0);
    const isSame =
      to === from &&
      minReadySeconds === (replicaSet.spec?.minReadySeconds ?? 0) &&
      hasAll(replicaSet.metadata.annotations ?? {}, annotations);
    if (isSame) continue;
    changed.push({
      replicaSet: {
        ...replicaSet,
        metadata: { ...replicaSet.metadata, annotations },
        spec: { ...replicaSet.spec, replicas: to, minReadySeconds },
      },
      from,
    });
  }
  return changed;
}

function hasAll(actual: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => actual[key] === value);
}

interface StatusFacts {
  readonly world: DeploymentWorld;
  readonly members: Members;
  readonly after: readonly ReplicaSet[];
  readonly current: ReplicaSet | undefined;
  readonly steps: Steps;
}

function statusOf({ world, after, current, steps }: StatusFacts): DeploymentStatus {
  const { deployment, now } = world;
  const paused = pauseConditions(deployment, now);
  const seen: Deployment =
    paused === undefined ? deployment : { ...deployment, status: { ...deployment.status, conditions: [...paused] } };
  const counts = { deployment: seen, current, all: after, now };
  const status = countStatus(counts);
  const isMoving = steps.isPaused !== true && steps.isScaling !== true;
  if (!isMoving || deployment.metadata.deletionTimestamp !== undefined) return status;
  const { news, waiting = [], isOnlyWaiting = false } = steps;
  const conditions = progressConditions({ counts, status, news, isOnlyWaiting, waits: waiting.length > 0 });
  return { ...status, conditions: withWaiting(conditions, waiting, now) };
}

function cleanable({ deployment, now }: DeploymentWorld, members: Members): readonly ReplicaSet[] {
  const status = countStatus({ deployment, current: members.current, all: all(members), now });
  return isComplete(deployment, status) ? outdated(members) : [];
}

/** Empty old ReplicaSets beyond the history limit, the oldest revisions first. */
function outdated({ deployment, old }: Members): readonly ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit;
  if (limit === undefined) return [];
  const kept = old.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const excess = Math.max(0, kept.length - limit);
  return [...kept]
    .sort((left, right) => revisionOf(left) - revisionOf(right))
    .slice(0, excess)
    .filter(isEmpty);
}

function isEmpty({ metadata, spec, status }: ReplicaSet): boolean {
  const isObserved = (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0);
  return (spec?.replicas ?? 1) === 0 && (status?.replicas ?? 0) === 0 && isObserved;
}
