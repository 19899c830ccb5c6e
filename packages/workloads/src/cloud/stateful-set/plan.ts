/** What a StatefulSet does next, one ordinal after the other, and what its status should say. Pure. */
import type { ControllerRevision, Pod, StatefulSet, StatefulSetStatus } from '@skerry/api/types';
import { type CutOffNode, withWaiting } from '../cut-off.ts';
import { countOf } from '../deployment/bounds.ts';
import { hasEnded, isReady, isTerminating, untilAvailable } from '../pod-facts.ts';
import { hashOf, templateOf } from '../revisions.ts';
import { type Ordinal, ordinalOf, replicasOf, startOf } from './identity.ts';

export interface StatefulInput {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  /** The revision of today's template. */
  readonly update: ControllerRevision;
  /** The revision that the set last reached as a whole. */
  readonly current: ControllerRevision;
  readonly now: number;
  /** Whether the pod's node is heard of. */
  readonly isReachable: (pod: Pod) => boolean;
  readonly cutOffNode: CutOffNode;
}

export interface StatefulPlan {
  readonly create: readonly Ordinal[];
  readonly remove: readonly Pod[];
  /** Pods above the range: what belongs to them alone may go with them. */
  readonly condemned: readonly Pod[];
  readonly status: StatefulSetStatus;
  readonly recheckAfterMs: number | undefined;
}

export function planStatefulSet(input: StatefulInput): StatefulPlan {
  const { set } = input;
  const first = startOf(set);
  const slots = new Map<number, Pod>();
  for (const pod of input.pods) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal !== undefined) slots.set(ordinal, pod);
  }
  const end = first + replicasOf(set);
  const range = Array.from({ length: replicasOf(set) }, (_, index) => first + index);
  const outside = [...slots].filter(([ordinal]) => ordinal < first || ordinal >= end);
  const condemned = outside.sort(([left], [right]) => right - left).map(([, pod]) => pod);
  const view: View = { ...input, slots, range, condemned, health: healthOf(input) };
  const { create = [], remove = [] } = set.metadata.deletionTimestamp === undefined ? nextSteps(view) : {};
  return { create, remove, condemned, status: statusOf(view), recheckAfterMs: recheckOf(view) };
}

type Health = 'available' | 'ready' | 'unready' | 'leaving' | 'ended';

interface View extends StatefulInput {
  readonly slots: ReadonlyMap<number, Pod>;
  readonly range: readonly number[];
  /** Highest ordinal first. */
  readonly condemned: readonly Pod[];
  readonly health: (pod: Pod) => Health;
}

interface Steps {
  readonly create?: readonly Ordinal[];
  readonly remove?: readonly Pod[];
}

function healthOf({ set, now, isReachable }: StatefulInput): (pod: Pod) => Health {
  const { minReadySeconds = 0 } = set.spec ?? {};
  return (pod) => {
    if (isTerminating(pod)) return 'leaving';
    if (hasEnded(pod)) return 'ended';
    if (!isReady(pod) || pod.status?.phase !== 'Running' || !isReachable(pod)) return 'unready';
    return (untilAvailable(pod, minReadySeconds, now) ?? 1) <= 0 ? 'available' : 'ready';
  };
}

function nextSteps(view: View): Steps {
  return isParallel(view) ? parallelSteps(view) : orderedSteps(view);
}

function isParallel({ set }: View): boolean {
  return set.spec?.podManagementPolicy === 'Parallel';
}

/** One at a time: nothing moves until all before it are available. */
function orderedSteps(view: View): Steps {
  const { range, slots, health, condemned } = view;
  for (const ordinal of range) {
    const pod = slots.get(ordinal);
    if (pod === undefined) return { create: [newPod(view, ordinal)] };
    const state = health(pod);
    if (state === 'ended') return { remove: [pod] };
    if (isHeld(view, pod)) continue;
    if (state !== 'available') return isOutdated(view, ordinal, pod) ? rollingSteps(view) : {};
  }
  const [last] = condemned;
  if (last !== undefined) return isTerminating(last) ? {} : { remove: [last] };
  return rollingSteps(view);
}

function parallelSteps(view: View): Steps {
  const { range, slots, health, condemned } = view;
  const create = range.filter((ordinal) => !slots.has(ordinal)).map((ordinal) => newPod(view, ordinal));
  const ended = range
    .map((ordinal) => slots.get(ordinal))
    .filter((pod) => pod !== undefined && health(pod) === 'ended');
  const gone = [...ended.filter((pod) => pod !== undefined), ...condemned.filter((pod) => !isTerminating(pod))];
  if (create.length > 0 || gone.length > 0) return { create, remove: gone };
  return rollingSteps(view);
}

function newPod(view: View, ordinal: number): Ordinal {
  const { set, update, current } = view;
  const keepsOld = isRolling(set) && ordinal < updateFrom(set);
  const revision = keepsOld ? current : update;
  return { ordinal, template: templateOf(revision), revision: revision.metadata.name ?? '' };
}

function isRolling({ spec }: StatefulSet): boolean {
  return spec?.updateStrategy?.type !== 'OnDelete';
}

/** Ordinals from here on get the new template. */
function updateFrom(set: StatefulSet): number {
  return startOf(set) + (set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0);
}

/**
 * An ordinal that never gets ready with a template that is not wanted any more must not hold up the template that is: a
 * bad update is then mended by the next one, without a hand that deletes the pod.
 */
function isOutdated({ set, update }: View, ordinal: number, pod: Pod): boolean {
  const isOld = hashOf(pod) !== update.metadata.name;
  return isOld && isRolling(set) && ordinal >= updateFrom(set) && !isTerminating(pod);
}

/** From the highest ordinal down, as many at once as may be unavailable. */
function rollingSteps(view: View): Steps {
  const { set, range, slots, health } = view;
  if (!isRolling(set)) return {};
  let budget = maxUnavailable(set);
  const remove: Pod[] = [];
  for (const ordinal of range.toReversed()) {
    if (ordinal < updateFrom(set) || budget <= 0) break;
    const pod = slots.get(ordinal);
    if (pod !== undefined && isHeld(view, pod)) continue;
    if (pod !== undefined && isOutdated(view, ordinal, pod)) remove.push(pod);
    else if (pod !== undefined && health(pod) === 'available') continue;
    budget--;
  }
  return { remove };
}

/** On a cut-off node it goes on by itself: it is left as it is, and the others need not wait for it. */
function isHeld({ cutOffNode }: View, pod: Pod): boolean {
  return !isTerminating(pod) && cutOffNode(pod) !== undefined;
}

/** The nodes whose pods are still of an older revision and cannot be replaced now. */
function nodesWaitedFor(view: View): readonly string[] {
  const outdated = view.range.flatMap((ordinal) => {
    const pod = view.slots.get(ordinal);
    return pod !== undefined && isOutdated(view, ordinal, pod) ? [pod] : [];
  });
  return outdated.flatMap((pod) => view.cutOffNode(pod) ?? []);
}

function maxUnavailable(set: StatefulSet): number {
  const { maxUnavailable: value = 1 } = set.spec?.updateStrategy?.rollingUpdate ?? {};
  return Math.max(1, countOf(value, replicasOf(set), Math.ceil));
}

function statusOf(view: View): StatefulSetStatus {
  const { set, slots, update, current, health, now } = view;
  const pods = [...slots.values()];
  const staying = pods.filter((pod) => !isTerminating(pod));
  const has = (state: Health) => pods.filter((pod) => health(pod) === state).length;
  const { name: currentName = '' } = current.metadata;
  const { name: updateName = '' } = update.metadata;
  const availableReplicas = has('available');
  const readyReplicas = availableReplicas + has('ready');
  const updatedReplicas = staying.filter((pod) => hashOf(pod) === updateName).length;
  const wanted = replicasOf(set);
  const isThrough = isRolling(set) && [updatedReplicas, readyReplicas, pods.length].every((count) => count === wanted);
  const { collisionCount = 0 } = set.status ?? {};
  const conditions = withWaiting(set.status?.conditions, nodesWaitedFor(view), now);
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: pods.length,
    readyReplicas,
    availableReplicas,
    updatedReplicas,
    currentReplicas: isThrough ? updatedReplicas : staying.filter((pod) => hashOf(pod) === currentName).length,
    currentRevision: isThrough ? updateName : currentName,
    updateRevision: updateName,
    collisionCount,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

/** When the next ready pod becomes available by mere passing of time. */
function recheckOf({ set, slots, health, now }: View): number | undefined {
  const waits = [...slots.values()]
    .filter((pod) => health(pod) === 'ready')
    .map((pod) => untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now) ?? Number.POSITIVE_INFINITY)
    .filter(Number.isFinite);
  return waits.length === 0 ? undefined : Math.max(1, Math.min(...waits));
}
