/** Which daemons to start and which to stop, and what the status says. Pure. */
import type { DaemonSet, DaemonSetStatus, Node, Pod } from '@skerry/api/types';
import { type CutOffNode, withWaiting } from '../cut-off.ts';
import { countOf } from '../deployment/bounds.ts';
import { hasEnded, isReady, isTerminating, untilAvailable } from '../pod-facts.ts';
import { hashOf } from '../revisions.ts';
import { createdAt } from '../timestamps.ts';
import { fitNode, type NodeFit, nodeOfPod } from './node-fit.ts';

export const DAEMON_SET = { group: 'apps', version: 'v1', kind: 'DaemonSet' } as const;

export interface DaemonWorld {
  readonly daemonSet: DaemonSet;
  readonly nodes: readonly Node[];
  /** All that it owns, also what is on its way out. */
  readonly pods: readonly Pod[];
  /** The hash of today's revision. */
  readonly hash: string;
  readonly now: number;
  readonly isReachable: (pod: Pod) => boolean;
  readonly cutOffNode: CutOffNode;
}

export interface DaemonPlan {
  /** Nodes that get a pod. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  /** Pods among `remove` that ended by themselves, which a person will want to know. */
  readonly ended: readonly Pod[];
  readonly status: DaemonSetStatus;
  /** When the next ready pod becomes available by mere passing of time. */
  readonly recheckAfterMs: number | undefined;
}

interface Place {
  readonly node: Node;
  readonly fit: NodeFit;
  readonly pods: readonly Pod[];
}

export function planDaemons(world: DaemonWorld): DaemonPlan {
  const places = placesOf(world);
  const status = statusOf(world, places);
  const upkeep = keepUp(world, places);
  const isCalm = upkeep.create.length === 0 && upkeep.remove.length === 0;
  const steps = isCalm ? { ...rollOut(world, places), ended: [] } : upkeep;
  return { ...steps, ...status };
}

function placesOf({ daemonSet, nodes, pods }: DaemonWorld): Place[] {
  const byNode = Map.groupBy(pods, (pod) => nodeOfPod(pod) ?? '');
  return nodes.map((node) => ({
    node,
    fit: fitNode(daemonSet, node),
    pods: [...(byNode.get(node.metadata.name ?? '') ?? [])].sort((left, right) => createdAt(left) - createdAt(right)),
  }));
}

type Steps = Pick<DaemonPlan, 'create' | 'remove'>;

function keepUp(world: DaemonWorld, places: readonly Place[]): Steps & { readonly ended: readonly Pod[] } {
  const create: string[] = [];
  const remove: Pod[] = [...strays(world)];
  const ended: Pod[] = [];
  for (const { node, fit, pods } of places) {
    const alive = pods.filter((pod) => !isTerminating(pod));
    if (!fit.mayStay) {
      remove.push(...alive);
      continue;
    }
    // A pod that is still on its way out keeps its place: two daemons of a kind must not meet.
    if (fit.shouldRun && pods.length === 0) create.push(node.metadata.name ?? '');
    const over = alive.filter(hasEnded);
    ended.push(...over);
    remove.push(
      ...over,
      ...surplus(
        world,
        alive.filter((pod) => !hasEnded(pod)),
      ),
    );
  }
  return { create, remove, ended };
}

/** Pods that wait for a node which is gone. */
function strays({ nodes, pods }: DaemonWorld): readonly Pod[] {
  const names = new Set(nodes.map(({ metadata }) => metadata.name));
  return pods.filter((pod) => {
    const isBound = pod.spec?.nodeName !== undefined && pod.spec.nodeName !== '';
    return !isBound && !isTerminating(pod) && !names.has(nodeOfPod(pod));
  });
}

/** All but the oldest; during a surge one of today's and one of yesterday's may be side by side. */
function surplus({ daemonSet, hash, nodes }: DaemonWorld, running: readonly Pod[]): readonly Pod[] {
  if (limitsOf(daemonSet, nodes.length).surge === 0) return running.slice(1);
  const isNew = (pod: Pod) => hashOf(pod) === hash;
  return [...running.filter(isNew).slice(1), ...running.filter((pod) => !isNew(pod)).slice(1)];
}

/** How many daemons may be missing, or be there twice, while a new template comes. */
export function limitsOf({ spec }: DaemonSet, desired: number): { surge: number; unavailable: number } {
  if (spec?.updateStrategy?.type === 'OnDelete') return { surge: 0, unavailable: 0 };
  const { maxSurge = 0, maxUnavailable = 1 } = spec?.updateStrategy?.rollingUpdate ?? {};
  const surge = countOf(maxSurge, desired, Math.ceil);
  const unavailable = countOf(maxUnavailable, desired, Math.ceil);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

function rollOut(world: DaemonWorld, places: readonly Place[]): Steps {
  const { daemonSet } = world;
  if (daemonSet.spec?.updateStrategy?.type === 'OnDelete') return { create: [], remove: [] };
  const wanted = places.filter(({ fit }) => fit.shouldRun);
  const limits = limitsOf(daemonSet, wanted.length);
  // The pods of cut-off nodes neither go nor count: the rest goes on without them.
  const within = wanted.filter((place) => heldIn(world, place).length === 0);
  return limits.surge === 0
    ? replaceInPlace(world, within, limits.unavailable)
    : replaceBySurge(world, within, limits.surge);
}

/** A cut-off node, which takes no new pods, is still where its daemon belongs. */
function isWanted(world: DaemonWorld, place: Place): boolean {
  return place.fit.shouldRun || (place.fit.mayStay && heldIn(world, place).length > 0);
}

function heldIn({ cutOffNode }: DaemonWorld, { pods }: Place): readonly Pod[] {
  return pods.filter((pod) => cutOffNode(pod) !== undefined);
}

/** The nodes whose pods are still of an older revision and cannot be replaced now. */
function nodesWaitedFor(world: DaemonWorld, wanted: readonly Place[]): readonly string[] {
  if (world.daemonSet.spec?.updateStrategy?.type === 'OnDelete') return [];
  return wanted.flatMap((place) =>
    heldIn(world, place)
      .filter((pod) => hashOf(pod) !== world.hash)
      .flatMap((pod) => world.cutOffNode(pod) ?? []),
  );
}

function replaceInPlace(world: DaemonWorld, places: readonly Place[], maxUnavailable: number): Steps {
  const broken: Pod[] = [];
  const working: Pod[] = [];
  let unavailable = 0;
  for (const { pods } of places) {
    const { current, old } = split(world, pods);
    const only = pods.length === 1 ? (current ?? old) : undefined;
    if (only === undefined || isTerminating(only) || !isServing(world, only)) unavailable++;
    if (only === undefined || only !== old || isTerminating(only)) continue;
    (isServing(world, only) ? working : broken).push(only);
  }
  // What does not serve anyway costs nothing to replace.
  return { create: [], remove: [...broken, ...working.slice(0, Math.max(0, maxUnavailable - unavailable))] };
}

function replaceBySurge(world: DaemonWorld, places: readonly Place[], maxSurge: number): Steps {
  const urgent: string[] = [];
  const waiting: string[] = [];
  const remove: Pod[] = [];
  let surging = 0;
  for (const { node, pods } of places) {
    const { current, old } = split(world, pods);
    if (old === undefined || isTerminating(old)) continue;
    if (current === undefined) (isServing(world, old) ? waiting : urgent).push(node.metadata.name ?? '');
    else if (isServing(world, current)) remove.push(old);
    else surging++;
  }
  return { create: [...urgent, ...waiting.slice(0, Math.max(0, maxSurge - surging))], remove };
}

function split({ hash }: DaemonWorld, pods: readonly Pod[]): { current: Pod | undefined; old: Pod | undefined } {
  return {
    current: pods.find((pod) => hashOf(pod) === hash),
    old: pods.find((pod) => hashOf(pod) !== hash),
  };
}

function isServing(world: DaemonWorld, pod: Pod): boolean {
  const wait = waitFor(world, pod);
  return wait !== undefined && wait <= 0;
}

function waitFor({ daemonSet, now, isReachable }: DaemonWorld, pod: Pod): number | undefined {
  return isReachable(pod) ? untilAvailable(pod, daemonSet.spec?.minReadySeconds ?? 0, now) : undefined;
}

function statusOf(world: DaemonWorld, places: readonly Place[]): Pick<DaemonPlan, 'status' | 'recheckAfterMs'> {
  const { daemonSet, hash, isReachable } = world;
  const wanted = places.filter((place) => isWanted(world, place));
  const misscheduled = places.filter((place) => !isWanted(world, place) && place.pods.length > 0);
  const oldest = wanted.flatMap(({ pods }) => pods.slice(0, 1));
  const waits = wanted.flatMap(({ pods }) => pods.map((pod) => waitFor(world, pod)));
  const available = wanted.filter(({ pods }) => pods.some((pod) => isServing(world, pod))).length;
  const pending = waits.filter((wait) => wait !== undefined && wait > 0) as number[];
  const { collisionCount } = daemonSet.status ?? {};
  const conditions = withWaiting(daemonSet.status?.conditions, nodesWaitedFor(world, wanted), world.now);
  return {
    status: {
      currentNumberScheduled: oldest.length,
      numberMisscheduled: misscheduled.length,
      desiredNumberScheduled: wanted.length,
      numberReady: wanted.filter(({ pods }) => pods.some((pod) => isReady(pod) && isReachable(pod))).length,
      observedGeneration: daemonSet.metadata.generation ?? 0,
      updatedNumberScheduled: wanted.filter(({ pods }) => pods.some((pod) => hashOf(pod) === hash)).length,
      numberAvailable: available,
      numberUnavailable: wanted.length - available,
      ...(collisionCount === undefined ? {} : { collisionCount }),
      ...(conditions.length === 0 ? {} : { conditions }),
    },
    recheckAfterMs: pending.length === 0 ? undefined : Math.min(...pending),
  };
}
