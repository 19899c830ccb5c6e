/** Keeps the pods of one node: follows the nearest API, and has a worker for each pod. */
import { isStatus, type KubeObject } from '@skerry/api';
import type { Pod as ApiPod, Node } from '@skerry/api/types';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, runController, startInformer } from '@skerry/kube/controller';
import type { ContainerSnapshot, PodRuntime } from '../runtime.ts';
import type { RuntimeSet } from '../runtime-set.ts';
import type { StaticPods } from '../static-pods/static-pods.ts';
import type { IssuedToken, TokenRequest } from '../volumes/payload.ts';
import { volumeReclaimer } from '../volumes/reclaim.ts';
import { type Rejection, rejectionOf } from './admission.ts';
import type { FoundPod, NodeContext } from './context.ts';
import type { ConfigObject, ConfigReader, ServiceFacts } from './environment.ts';
import { clearEndedPod, sweepLeftovers } from './leftovers.ts';
import { createLimiter } from './limiter.ts';
import { type ConfigKey, configsOf } from './node-configs.ts';
import { sweepOrphans } from './orphans.ts';
import { runtimeBefore } from './runtime-choice.ts';
import { asFromApi, isMirrorPod, isStaticPod } from './static-pod.ts';
import type { Pod } from './types.ts';
import { untilAborted } from './until-aborted.ts';
import { PodWorker } from './worker.ts';

/** Starting is bound by the processor: more at once would only make each one slower. */
const CONCURRENT_STARTS = 8;
/** How often disk and runtimes are cleared of what belongs to nobody. */
const SWEEP_MS = 60_000;

const WELCOME_RETRY_MS = 1000;

const core = (resource: string) => ({ group: '', version: 'v1', resource });
const CONFIG_RESOURCES = {
  ConfigMap: core('configmaps'),
  Secret: core('secrets'),
  PersistentVolumeClaim: core('persistentvolumeclaims'),
  PersistentVolume: core('persistentvolumes'),
} as const;

export interface PodControllerOptions {
  /** Of the nearest API: at the edge the node's own replica. */
  readonly client: Client;
  readonly nodeName: string;
  readonly runtimes: RuntimeSet;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: Recorder;
  /** Holds the pods' directories. */
  readonly directory: string;
  readonly logDirectory: string;
  /** Resolves when the API shows all the node has: until then nothing that is missing there may be ended. */
  readonly ready: Promise<void>;
  readonly nodeIps: () => readonly string[];
  readonly allocatable: () => Readonly<Record<string, string>>;
  readonly localApi?: (isOnHost: boolean) => { readonly host: string; readonly port: number } | undefined;
  readonly requestToken: (request: TokenRequest) => Promise<IssuedToken>;
  /** Pods that the node has from a folder. */
  readonly statics?: StaticPods;
  /** Why a pod that comes new to this node may not run here; undefined when it may. */
  readonly refusal?: (pod: Pod) => string | undefined;
}

export interface PodController {
  /** Runs until `signal` aborts, and leaves the pods running then. */
  run(signal: AbortSignal): Promise<void>;
  /** Ends all pods with their grace, or less; their objects stay, so the next start runs them again. Call after `run` has ended. */
  stopAll(maxGraceSeconds?: number): Promise<void>;
  readonly pods: NodePods;
}

/** What streams and metrics need to know of the pods here. */
export interface NodePods {
  list(): readonly PodWorker[];
  find(namespace: string, name: string): PodWorker | undefined;
}

export function createPodController(options: PodControllerOptions): PodController {
  return new Controller(options);
}

class Controller implements PodController {
  readonly #options: PodControllerOptions;
  readonly #context: NodeContext;
  readonly #workers = new Map<string, PodWorker>();
  /** Containers found at the start, until their pod shows up. */
  readonly #found = new Map<string, FoundPod & { readonly snapshots: ContainerSnapshot[] }>();
  /** Pods that are being cleared away, by their uid. */
  readonly #clearing = new Set<string>();
  #services: Informer<ServiceObject> | undefined;

  readonly pods: NodePods = {
    list: () => [...this.#workers.values()],
    find: (namespace, name) =>
      this.#workers
        .values()
        .find(({ pod: { metadata } }) => metadata.namespace === namespace && metadata.name === name),
  };

  constructor(options: PodControllerOptions) {
    this.#options = options;
    const { client, runtimes, clock, recorder, directory, logDirectory, nodeIps, allocatable, requestToken } = options;
    this.#context = {
      client,
      runtimes,
      clock,
      recorder,
      directory,
      logDirectory,
      allocatable,
      requestToken,
      log: options.log.child({ controller: 'pods' }),
      hostIPs: nodeIps,
      localApi: options.localApi ?? (() => undefined),
      services: (namespace) => this.#servicesOf(namespace),
      readConfig: (namespace) => configReader(client, namespace),
      admit: (pod, isAlone = false) => this.#admit(pod, isAlone),
      starts: createLimiter(CONCURRENT_STARTS),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, nodeName, ready, runtimes } = this.#options;
    const { log } = this.#context;
    // Whatever a restart of the replica shows before it is whole must not look like deletions.
    await untilAborted(ready, signal);
    const context = { client, clock, log, signal };
    this.#services = startInformer<ServiceObject>(context, { gvr: core('services'), transform: leanService });
    const pods = startInformer<Pod>(context, {
      gvr: core('pods'),
      fieldSelector: `spec.nodeName=${nodeName}`,
      transform: leanPod,
    });
    using changes = new DisposableStack();
    for (const runtime of runtimes.known) {
      changes.use(this.#follow(runtime));
      await this.#rememberAll(runtime);
    }
    await untilAborted(Promise.all([pods.synced, this.#services.synced]), signal);
    const unfollow = [this.#followPods(pods, signal), ...this.#followConfigs(context)];
    const { statics } = this.#options;
    await statics?.begin({ start: (pod) => this.#add(pod, signal), shown: () => pods.cache.list() });
    await sweepOrphans(this.#context, this.#found, signal);
    const reclaiming = runController(this.#reclaimer(signal), context);
    changes.use(
      runtimes.onArrival((runtime) => {
        changes.use(this.#follow(runtime));
        this.#welcome(runtime, pods, signal).catch(() => {});
      }),
    );
    await Promise.all([this.#sweepForEver(pods, signal), statics?.follow(signal), reclaiming]);
    for (const stop of unfollow) stop();
    for (const worker of this.#workers.values()) worker.close();
  }

  #reclaimer(signal: AbortSignal): ControllerSpec {
    const { client, clock, recorder } = this.#options;
    const { log } = this.#context;
    return volumeReclaimer({
      client,
      clock,
      log,
      recorder,
      signal,
      pods: () => this.pods.list().map(({ pod }) => pod),
    });
  }

  async stopAll(maxGraceSeconds?: number): Promise<void> {
    using changes = new DisposableStack();
    for (const runtime of this.#options.runtimes.known) changes.use(this.#follow(runtime));
    await Promise.all(this.pods.list().map((worker) => worker.stopForShutdown(maxGraceSeconds)));
  }

  #follow(runtime: PodRuntime): Disposable {
    const changes = new DisposableStack();
    changes.use(runtime.onChange((snapshot) => this.#workers.get(snapshot.labels.uid)?.onSnapshot(snapshot)));
    const losses = runtime.onSandboxLost?.((uid) => this.#workers.get(uid)?.loseSandbox());
    if (losses !== undefined) changes.use(losses);
    return changes;
  }

  async #rememberAll(runtime: PodRuntime): Promise<void> {
    for (const snapshot of await runtime.list()) {
      const { uid } = snapshot.labels;
      const known = this.#found.get(uid);
      if (known === undefined) this.#found.set(uid, { runtime, snapshots: [snapshot] });
      else known.snapshots.push(snapshot);
    }
  }

  /** A runtime that comes late brings the containers of the pods that wait for it, and of pods that were deleted meanwhile. */
  async #welcome(runtime: PodRuntime, pods: Informer<Pod>, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context;
    for (;;) {
      try {
        await this.#rememberAll(runtime);
        break;
      } catch (error) {
        log.warn({ runtime: runtime.name, error: messageOf(error) }, 'what a runtime holds is not known yet');
        await clock.sleep(WELCOME_RETRY_MS, signal);
      }
    }
    for (const pod of pods.cache.list()) {
      if (!isMirrorPod(pod) && !this.#workers.has(pod.metadata.uid ?? '')) this.#add(pod, signal);
    }
    this.#options.statics?.look();
    await this.#endDoubles();
    for (const worker of this.#workers.values()) worker.lookAround();
    await sweepOrphans(this.#context, this.#found, signal);
  }

  /** A pod that was taken for a new one, since its status was never told, runs under another runtime by now. */
  async #endDoubles(): Promise<void> {
    for (const [uid, { runtime, snapshots }] of this.#found) {
      const worker = this.#workers.get(uid);
      if (worker === undefined) continue;
      this.#found.delete(uid);
      if (worker.runtime === runtime) continue;
      for (const { id } of snapshots) await runtime.kill(id).then(() => runtime.remove(id));
    }
  }

  async #sweepForEver(pods: Informer<Pod>, signal: AbortSignal): Promise<void> {
    const { runtimes, clock } = this.#options;
    const hasWorker = (uid: string) => this.#workers.has(uid);
    const isKnown = (uid: string) => hasWorker(uid) || pods.cache.list().some(({ metadata }) => metadata.uid === uid);
    while (!signal.aborted) {
      await this.#sweep(sweepLeftovers(this.#context, isKnown));
      for (const runtime of runtimes.serving) await this.#sweep(runtime.sweep?.(hasWorker));
      await clock.sleep(SWEEP_MS, signal).catch(() => {});
    }
  }

  async #sweep(work: Promise<void> | undefined): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#context.log.warn({ error: messageOf(error) }, 'not swept');
    }
  }

  #followPods(pods: Informer<Pod>, signal: AbortSignal): () => void {
    return pods.onChange(({ type, object }) => {
      if (isMirrorPod(object)) {
        this.#options.statics?.onMirror(object);
        return;
      }
      const uid = object.metadata.uid ?? '';
      const worker = this.#workers.get(uid);
      if (type === 'delete') worker?.remove();
      else if (worker !== undefined) worker.update(object);
      else this.#add(object, signal);
    });
  }

  #add(pod: Pod, signal: AbortSignal): PodWorker | undefined {
    const uid = pod.metadata.uid ?? '';
    const found = this.#found.get(uid);
    this.#found.delete(uid);
    // A pod that has ended for good and left nothing here only waits for its object to go: its last status stands.
    if (found === undefined && isFinished(pod)) {
      if (pod.metadata.deletionTimestamp !== undefined) this.#clear(pod, uid, signal);
      return undefined;
    }
    if (found === undefined && this.#isHeldElsewhere(pod)) return undefined;
    const worker = new PodWorker(this.#context, pod, found);
    this.#workers.set(uid, worker);
    worker.done.then(() => this.#workers.delete(uid)).catch(() => {});
    return worker;
  }

  /** It runs, or ran, under a runtime that has not come yet: started under another one, it would run twice. */
  #isHeldElsewhere(pod: Pod): boolean {
    const holder = runtimeBefore(pod);
    if (holder === undefined || this.#options.runtimes.known.some(({ name }) => name === holder)) return false;
    const message = `Runtime ${holder}, which holds the containers of this pod, does not answer yet`;
    this.#context.recorder.event(pod, 'Warning', 'RuntimeNotReady', message);
    return true;
  }

  #clear(pod: Pod, uid: string, signal: AbortSignal): void {
    if (this.#clearing.has(uid)) return;
    this.#clearing.add(uid);
    clearEndedPod(this.#context, pod, signal)
      .finally(() => this.#clearing.delete(uid))
      .catch(() => {});
  }

  /** `isAlone`: as if no other pod were here. */
  async #admit(pod: Pod, isAlone: boolean): Promise<Rejection | undefined> {
    const { client, nodeName, allocatable, refusal } = this.#options;
    // What has run here counts already.
    const shortage = runtimeBefore(pod) === undefined ? refusal?.(pod) : undefined;
    if (shortage !== undefined) return { reason: 'Evicted', message: shortage };
    if (isStaticPod(pod)) return undefined;
    const node = await client.get<Node>({ gvr: core('nodes'), name: nodeName }).catch(() => undefined);
    const holders = isAlone ? [] : this.pods.list().map((worker) => worker.pod);
    const others = holders.filter((other) => other.metadata.uid !== pod.metadata.uid && holdsResources(other));
    return rejectionOf(whole(pod), { node, allocatable: allocatable(), others: others.map(whole) });
  }

  /** Only names are kept: contents are read when they are needed. */
  #followConfigs(context: Parameters<typeof startInformer>[0]): (() => void)[] {
    return (['ConfigMap', 'Secret'] as const).map((kind) => {
      const informer = startInformer<ConfigObject>(context, { gvr: CONFIG_RESOURCES[kind], transform: nameOnly });
      return informer.onChange(({ object: { metadata } }) => {
        const key: ConfigKey = `${kind}/${metadata.name ?? ''}`;
        for (const worker of this.#workers.values()) {
          if (worker.pod.metadata.namespace === metadata.namespace && configsOf(worker.pod).has(key))
            worker.lookAround();
        }
      });
    });
  }

  /** Those of the namespace, and the API's own from wherever a pod is. */
  #servicesOf(namespace: string): ServiceFacts[] {
    const all = this.#services?.cache.list() ?? [];
    return all
      .filter(
        ({ metadata }) =>
          metadata.namespace === namespace || (metadata.namespace === 'default' && metadata.name === 'kubernetes'),
      )
      .map(({ metadata, spec }) => ({
        name: metadata.name ?? '',
        clusterIP: spec.clusterIP ?? '',
        ports: spec.ports ?? [],
      }));
  }
}

interface ServiceObject extends KubeObject {
  spec: { readonly clusterIP?: string; readonly ports?: ServiceFacts['ports'] };
}

function configReader(client: Client, namespace: string): ConfigReader {
  return async (kind, name) => {
    try {
      const place = kind === 'PersistentVolume' ? {} : { namespace };
      return await client.get<ConfigObject>({ gvr: CONFIG_RESOURCES[kind], ...place, name });
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  };
}

/** One that is on its way out has been accounted for by whoever put another in its place. */
function holdsResources(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isFinished(pod);
}

/** Ours is the part of a pod that the node's work is about; scheduling looks at the rest, too. */
function whole(pod: KubeObject): ApiPod {
  return pod as ApiPod;
}

function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** managedFields are half of a pod and nobody here reads them. */
function leanPod(pod: Pod): Pod {
  const { managedFields: _dropped, ...metadata } = pod.metadata;
  return asFromApi({ ...pod, metadata });
}

function leanService({ apiVersion, kind, metadata, spec }: ServiceObject): ServiceObject {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion },
    spec: { ...(spec.clusterIP === undefined ? {} : { clusterIP: spec.clusterIP }), ports: spec.ports ?? [] },
  };
}

function nameOnly({ apiVersion, kind, metadata }: ConfigObject): ConfigObject {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata;
  return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } };
}
