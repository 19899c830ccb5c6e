/** Keeps the node alive when it runs short: says so in its conditions, frees what nobody needs, and ends pods when that is not enough. */
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import { nodeReference } from '../node/node-events.ts';
import type { NodePods } from '../pod/controller.ts';
import type { Pod } from '../pod/types.ts';
import { isAtRest, isOver } from '../pod/view.ts';
import type { PodWorker } from '../pod/worker.ts';
import { refusalUnder } from './admission.ts';
import { type MeasuredNode, measurePods, observeNode } from './measure.ts';
import { RESOURCE_OF } from './pod-usage.ts';
import {
  isCrossed,
  NO_PRESSURE,
  type Observations,
  type Pressure,
  type PressureState,
  stepPressure,
} from './pressure.ts';
import { brokenStorageLimit, hasStorageLimit } from './storage-limits.ts';
import type { EvictionSettings, Threshold } from './thresholds.ts';
import { describeEviction, rankVictims } from './victims.ts';

/** As a kubelet does. */
const OBSERVE_MS = 10_000;
/** So long what an ended pod held is waited for before another one has to go. */
const CLEANUP_PATIENCE_MS = 30_000;
const CLEANUP_LOOK_MS = 500;
/** What is left to a pod that has to go at once. */
const IMMEDIATE_GRACE_SECONDS = 1;
const EVICTED = 'Evicted';

export interface EvictionOptions extends MeasuredNode {
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: Recorder;
  readonly settings: EvictionSettings;
  /** How often the node is looked at. */
  readonly everyMs?: number;
}

export interface EvictionManager {
  /** Looks after `pods` until `signal` aborts. */
  run(pods: NodePods, signal: AbortSignal): Promise<void>;
  readonly pressures: ReadonlySet<Pressure>;
  onChange(listener: () => void): Disposable;
  /** Why a new pod may not run here now. */
  refusal(pod: Pod): string | undefined;
}

export function createEvictionManager(options: EvictionOptions): EvictionManager {
  return new Manager(options);
}

class Manager implements EvictionManager {
  readonly #options: EvictionOptions;
  readonly #listeners = new Set<() => void>();
  #state: PressureState = NO_PRESSURE;
  #pressures: ReadonlySet<Pressure> = new Set();

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  get pressures(): ReadonlySet<Pressure> {
    return this.#pressures;
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  refusal(pod: Pod): string | undefined {
    return refusalUnder(this.#pressures, pod);
  }

  async run(pods: NodePods, signal: AbortSignal): Promise<void> {
    const { clock, log, everyMs = OBSERVE_MS } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#look(pods, signal);
      } catch (error) {
        if (!signal.aborted) log.warn({ error: messageOf(error) }, 'node not looked after');
      }
      await clock.sleep(everyMs, signal).catch(() => {});
    }
  }

  async #look(pods: NodePods, signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#options;
    const observations = await observeNode(this.#options);
    const { state, pressures, due } = stepPressure(this.#state, settings, observations, clock.monotonic());
    this.#state = state;
    this.#show(pressures);
    const victim = (await this.#endOverLimit(pods)) ?? (await this.#relieve(due[0], observations, pods));
    if (victim !== undefined) await this.#untilGone(victim, signal);
  }

  #show(pressures: ReadonlySet<Pressure>): void {
    const isSame = pressures.size === this.#pressures.size && pressures.isSubsetOf(this.#pressures);
    this.#pressures = pressures;
    if (isSame) return;
    this.#options.log.warn({ pressures: [...pressures] }, 'pressure on the node has changed');
    for (const listener of this.#listeners) listener();
  }

  /** A pod that breaks its own limits goes whatever the node has left. */
  async #endOverLimit(pods: NodePods): Promise<PodWorker | undefined> {
    const limited = pods.list().filter((worker) => isActive(worker) && hasStorageLimit(worker.pod));
    if (limited.length === 0) return undefined;
    const usages = await measurePods(this.#options, limited, { withDisk: true, withProcesses: false });
    for (const [index, usage] of usages.entries()) {
      const message = brokenStorageLimit(usage);
      const worker = limited[index];
      if (message !== undefined && worker !== undefined && this.#end(worker, message, IMMEDIATE_GRACE_SECONDS))
        return worker;
    }
    return undefined;
  }

  /** First what nobody needs, then the pod that the node can do without most easily. */
  async #relieve(
    threshold: Threshold | undefined,
    observations: Observations,
    pods: NodePods,
  ): Promise<PodWorker | undefined> {
    if (threshold === undefined) return undefined;
    const { nodeName, recorder } = this.#options;
    const resource = RESOURCE_OF[threshold.signal];
    recorder.event(nodeReference(nodeName), 'Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    const isOnDisk = resource === 'ephemeral-storage' || resource === 'inodes';
    const left = isOnDisk ? await this.#reclaim(pods) : observations;
    return isCrossed(threshold, left, true) ? this.#evict(threshold, left, pods) : undefined;
  }

  async #reclaim(pods: NodePods): Promise<Observations> {
    const { runtimes, log } = this.#options;
    const work = [
      ...pods.list().map((worker) => worker.forgetDead()),
      ...runtimes.serving.map(async (runtime) => runtime.reclaimImages?.()),
    ];
    for (const result of await Promise.allSettled(work)) {
      if (result.status === 'rejected') log.warn({ error: messageOf(result.reason) }, 'not all could be reclaimed');
    }
    return observeNode(this.#options);
  }

  async #evict(threshold: Threshold, observations: Observations, pods: NodePods): Promise<PodWorker | undefined> {
    const { log, settings } = this.#options;
    const active = pods.list().filter(isActive);
    const observed = observations.get(threshold.signal) ?? { available: 0, capacity: 0 };
    const resource = RESOURCE_OF[threshold.signal];
    const usages = await measurePods(this.#options, active, {
      withDisk: resource === 'ephemeral-storage' || resource === 'inodes',
      withProcesses: resource === 'pids',
    });
    for (const usage of rankVictims(usages, threshold)) {
      const worker = active.find(({ uid }) => uid === usage.pod.metadata.uid);
      const own = usage.pod.spec.terminationGracePeriodSeconds ?? Number.POSITIVE_INFINITY;
      const grace = threshold.graceMs === 0 ? IMMEDIATE_GRACE_SECONDS : Math.min(own, settings.maxPodGraceSeconds);
      if (worker !== undefined && this.#end(worker, describeEviction(usage, threshold, observed), grace)) return worker;
    }
    log.warn({ signal: threshold.signal, ...observed }, 'the node runs short and no pod may be ended');
    return undefined;
  }

  #end(worker: PodWorker, message: string, graceSeconds: number): boolean {
    const isEnding = worker.fail({ reason: EVICTED, message, graceSeconds, isDisruption: true });
    const { namespace, name } = worker.pod.metadata;
    if (isEnding) this.#options.log.warn({ pod: `${namespace}/${name}`, message }, 'pod evicted');
    return isEnding;
  }

  async #untilGone(worker: PodWorker, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + CLEANUP_PATIENCE_MS;
    while (!isAtRest(worker.view()) && clock.monotonic() < deadline) await clock.sleep(CLEANUP_LOOK_MS, signal);
  }
}

function isActive(worker: PodWorker): boolean {
  const view = worker.view();
  return view.deletion === undefined && view.failure === undefined && !isOver(view);
}
