/** The scheduler: gives every pod without a node the best one, through the API like any other client. */
import { type Gvr, isStatus } from '@skerry/api';
import type {
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  StorageClass,
} from '@skerry/api/types';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import { type Change, type InformerFactory, keyOf, parseObjectKey } from '@skerry/kube/controller';
import { DISRUPTION_BUDGETS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES } from '../resources.ts';
import { SELECTED_NODE } from '../volumes/match.ts';
import { refOf } from '../writes.ts';
import { Cluster } from './cluster.ts';
import { NominatedPods } from './nominated-pods.ts';
import { PendingPods } from './pending-pods.ts';
import { type Preemption, planPreemption } from './preempt.ts';
import { evictForPreemption } from './preempt-writes.ts';
import { fitsOn, schedule } from './schedule.ts';
import { claimsOfPod, type VolumeLookups } from './volume-rules.ts';

const SCHEDULER_NAME = 'default-scheduler';
/** Decisions are made one after the other; writing them down goes on beside, this many at once. */
const MAX_BINDINGS_IN_FLIGHT = 64;
/** Decisions in one turn before other work gets its turn. */
const DECISIONS_A_TURN = 50;

const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' };
const NODES: Gvr = { group: '', version: 'v1', resource: 'nodes' };
const NAMESPACES: Gvr = { group: '', version: 'v1', resource: 'namespaces' };

export interface SchedulerOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Works until `signal` aborts. */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  const { informers, signal } = options;
  const nodes = informers.informer<Node>({ gvr: NODES });
  const pods = informers.informer<Pod>({ gvr: PODS });
  const namespaces = informers.informer<Namespace>({ gvr: NAMESPACES });
  const claims = informers.informer<PersistentVolumeClaim>({ gvr: PERSISTENT_VOLUME_CLAIMS });
  const volumes = informers.informer<PersistentVolume>({ gvr: PERSISTENT_VOLUMES });
  const classes = informers.informer<StorageClass>({ gvr: STORAGE_CLASSES });
  const budgets = informers.informer<PodDisruptionBudget>({ gvr: DISRUPTION_BUDGETS });
  try {
    await Promise.all([nodes, pods, namespaces, claims, volumes, classes, budgets].map(({ synced }) => synced));
  } catch {
    return;
  }
  const scheduler = new Scheduler(options, {
    podOf: (key) => pods.cache.get(key),
    labelsOf: (namespace) => namespaces.cache.get(namespace)?.metadata.labels,
    claim: (key) => claims.cache.get(key),
    volume: (name) => volumes.cache.get(name),
    volumes: () => volumes.cache.list(),
    storageClass: (name) => classes.cache.get(name),
    budgets: () => budgets.cache.list(),
  });
  const ends = [
    nodes.onChange((change) => scheduler.onNode(change)),
    pods.onChange((change) => scheduler.onPod(change)),
    claims.onChange(() => scheduler.onStorage()),
    volumes.onChange(() => scheduler.onStorage()),
    classes.onChange(() => scheduler.onStorage()),
  ];
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  for (const end of ends) end();
  scheduler.close();
}

interface Lookups extends VolumeLookups {
  readonly podOf: (key: string) => Pod | undefined;
  readonly labelsOf: (namespace: string) => Record<string, string> | undefined;
  readonly budgets: () => readonly PodDisruptionBudget[];
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #lookups: Lookups;
  readonly #cluster = new Cluster();
  readonly #pending: PendingPods;
  readonly #nominated = new NominatedPods(this.#cluster);
  #inFlight = 0;
  #isTurnPlanned = false;

  constructor(options: SchedulerOptions, lookups: Lookups) {
    this.#options = options;
    this.#lookups = lookups;
    this.#pending = new PendingPods(options.clock, () => this.#planTurn());
  }

  onNode({ type, object }: Change<Node>): void {
    if (type === 'delete') this.#cluster.removeNode(object.metadata.name ?? '');
    else this.#cluster.setNode(object);
    this.#pending.wake();
  }

  onPod({ type, object: pod }: Change<Pod>): void {
    const key = keyOf(pod);
    this.#nominated.note(key, type === 'delete' || isFinished(pod) ? undefined : pod);
    if (type === 'delete' || isFinished(pod)) {
      this.#pending.forget(key);
      this.#cluster.remove(key);
      this.#pending.wake();
    } else if (pod.spec?.nodeName !== undefined && pod.spec.nodeName !== '') {
      this.#pending.forget(key);
      this.#cluster.place(pod, pod.spec.nodeName);
    } else if (this.#isOurs(pod) && this.#cluster.nodeOf(key) === undefined) {
      // A pod that is parked and only had its condition written would otherwise chase its own tail.
      if (type === 'add' || !this.#pending.isWaiting(key)) this.#pending.add(key, pod.spec?.priority ?? 0);
    }
  }

  onStorage(): void {
    this.#pending.wake();
  }

  close(): void {
    this.#pending.close();
  }

  #isOurs({ metadata, spec }: Pod): boolean {
    const isGated = (spec?.schedulingGates ?? []).length > 0;
    return (
      metadata.deletionTimestamp === undefined && !isGated && (spec?.schedulerName ?? SCHEDULER_NAME) === SCHEDULER_NAME
    );
  }

  #planTurn(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    setImmediate(() => {
      this.#isTurnPlanned = false;
      this.#turn();
    });
  }

  #turn(): void {
    for (let decisions = 0; decisions < DECISIONS_A_TURN && this.#inFlight < MAX_BINDINGS_IN_FLIGHT; decisions++) {
      const key = this.#pending.take();
      if (key === undefined) return;
      const pod = this.#lookups.podOf(key);
      if (pod !== undefined && this.#isOurs(pod) && !pod.spec?.nodeName) this.#decide(key, pod);
    }
    if (this.#inFlight < MAX_BINDINGS_IN_FLIGHT) this.#planTurn();
  }

  #decide(key: string, pod: Pod): void {
    const claims = claimsOfPod(pod, this.#lookups);
    const { labelsOf } = this.#lookups;
    const result = this.#nominated.whileRoomIsKept(pod, () => schedule(pod, this.#cluster, labelsOf, claims));
    if (result.kind === 'unschedulable') {
      this.#pending.park(key, pod.spec?.priority ?? 0);
      const preemption = planPreemption({
        pod,
        cluster: this.#cluster,
        fits: (node) => fitsOn(node, pod, this.#cluster, { labelsOf, claims }),
        budgets: this.#lookups.budgets(),
      });
      this.#track(this.#makeRoom(pod, result.message, preemption));
      return;
    }
    if (claims.waiting.length > 0) {
      // Decided again once they are bound, to the node that their volumes are on.
      this.#pending.park(key, pod.spec?.priority ?? 0);
      this.#track(this.#selectNode(claims.waiting, result.node));
      return;
    }
    // Assumed there at once, so that the next decision sees what this one took.
    this.#cluster.place(pod, result.node);
    this.#track(this.#bind(key, pod, result.node));
  }

  #track(work: Promise<void>): void {
    this.#inFlight++;
    void work.finally(() => {
      this.#inFlight--;
      this.#planTurn();
    });
  }

  async #bind(key: string, pod: Pod, node: string): Promise<void> {
    const { client, recorder, log, signal } = this.#options;
    const { namespace = '', name = '', uid = '' } = pod.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    try {
      await client.createSubresource({ gvr: PODS, ...parseObjectKey(key) }, 'binding', binding, { signal });
      recorder.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${node}`);
    } catch (error) {
      if (signal.aborted) return;
      this.#cluster.remove(key);
      const current = this.#lookups.podOf(key);
      if (isStatus(error, 'NotFound') || current === undefined || current.spec?.nodeName) return;
      log.warn({ pod: key, node, error: messageOf(error) }, 'binding failed');
      this.#pending.park(key, pod.spec?.priority ?? 0);
    }
  }

  async #selectNode(claims: readonly PersistentVolumeClaim[], node: string): Promise<void> {
    const { client, log, signal } = this.#options;
    for (const claim of claims) {
      const { uid, annotations } = claim.metadata;
      if (annotations?.[SELECTED_NODE] === node) continue;
      try {
        const patch = { metadata: { uid, annotations: { [SELECTED_NODE]: node } } };
        await client.patch(refOf(PERSISTENT_VOLUME_CLAIMS, claim), patch, { type: 'merge', signal });
      } catch (error) {
        if (!signal.aborted && !isStatus(error, 'NotFound', 'Conflict'))
          log.warn({ claim: keyOf(claim), node, error: messageOf(error) }, 'node of a claim not written');
      }
    }
  }

  async #makeRoom(pod: Pod, message: string, preemption: Preemption | undefined): Promise<void> {
    await this.#reportUnschedulable(pod, message);
    if (preemption !== undefined) await evictForPreemption(this.#options, pod, preemption);
  }

  async #reportUnschedulable(pod: Pod, message: string): Promise<void> {
    const { client, recorder, clock, log, signal } = this.#options;
    const known = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    if (known?.status === 'False' && known.message === message) return;
    recorder.event(pod, 'Warning', 'FailedScheduling', message);
    const now = new Date(clock.now()).toISOString().replace(/\.\d+/, '');
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
      reason: 'Unschedulable',
      message,
      lastTransitionTime: known?.status === 'False' ? known.lastTransitionTime : now,
    };
    const { namespace = '', name = '', uid } = pod.metadata;
    try {
      const patch = { metadata: { uid }, status: { conditions: [condition] } };
      await client.patch({ gvr: PODS, namespace, name }, patch, { type: 'strategic', subresource: 'status', signal });
    } catch (error) {
      if (!signal.aborted && !isStatus(error, 'NotFound', 'Conflict'))
        log.warn({ pod: keyOf(pod), error: messageOf(error) }, 'condition not written');
    }
  }
}

function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
