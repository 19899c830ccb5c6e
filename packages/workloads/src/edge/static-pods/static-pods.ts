/** Pods from a folder of the node: they run without any API, and the API shows mirrors of them. */
import { isStatus, type KubeObject } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import { nodeReference } from '../node/node-events.ts';
import { isMirrorPod } from '../pod/static-pod.ts';
import type { Pod } from '../pod/types.ts';
import type { PodWorker } from '../pod/worker.ts';
import { readManifests, watchFolder } from './folder.ts';
import { mirrorOf, nextMirror, planMirror, staticPodOf } from './manifest.ts';

const PODS = { group: '', version: 'v1', resource: 'pods' } as const;
const NODES = { group: '', version: 'v1', resource: 'nodes' } as const;
/** As often as a kubelet looks, for folders that tell nothing of their changes. */
const LOOK_MS = 20_000;
/** Changes come in crowds, and files are seldom whole at their first. */
const SETTLE_MS = 100;

export interface StaticPodsOptions {
  /** Absent: the node has none, and mirrors that are left over go. */
  readonly folder: string | undefined;
  readonly nodeName: string;
  /** Of the nearest API. */
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: Recorder;
}

/** Who runs them. */
export interface StaticPodHost {
  /** Undefined while it cannot be known whether the pod runs already. */
  start(pod: Pod): PodWorker | undefined;
  /** What the API shows of the node's pods. */
  shown(): readonly Pod[];
}

export interface StaticPods {
  /** Starts what the folder holds now; then whoever sweeps knows them. */
  begin(host: StaticPodHost): Promise<void>;
  /** Follows folder and API until `signal` aborts. */
  follow(signal: AbortSignal): Promise<void>;
  /** The API shows a mirror, or shows it no more. */
  onMirror(mirror: Pod): void;
  /** Looks again at once. */
  look(): void;
}

export function createStaticPods(options: StaticPodsOptions): StaticPods {
  return new Folder(options);
}

class Folder implements StaticPods {
  readonly #options: StaticPodsOptions;
  /** By namespace and name. */
  #wanted: ReadonlyMap<string, Pod> = new Map();
  readonly #running = new Map<string, PodWorker>();
  readonly #problems = new Map<string, string>();
  /** When mirrors were made, by the pod's namespace and name. */
  readonly #made = new Map<string, readonly number[]>();
  #host: StaticPodHost | undefined;
  #wake = new AbortController();

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  async begin(host: StaticPodHost): Promise<void> {
    this.#host = host;
    await this.#read();
    this.#apply();
  }

  async follow(signal: AbortSignal): Promise<void> {
    const { clock, folder, log } = this.#options;
    if (folder !== undefined) await watchFolder(folder, () => this.look(), signal);
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.#read();
        this.#apply();
        await this.#keepMirrors();
      } catch (error) {
        log.warn({ folder, error: messageOf(error) }, 'static pods not looked at');
      }
      await clock.sleep(LOOK_MS, AbortSignal.any([signal, this.#wake.signal])).catch(() => {});
      await clock.sleep(SETTLE_MS, signal).catch(() => {});
    }
  }

  onMirror(mirror: Pod): void {
    this.#running.get(keyOf(mirror))?.observeMirror(mirror);
    this.look();
  }

  look(): void {
    this.#wake.abort();
  }

  async #read(): Promise<void> {
    const { folder, nodeName: node, clock } = this.#options;
    const wanted = new Map<string, Pod>();
    for (const { file, content } of folder === undefined ? [] : await readManifests(folder)) {
      try {
        if ('problem' in content) throw new Error(content.problem);
        const pod = staticPodOf(content.value, { node, file }, clock.now());
        if (wanted.has(keyOf(pod))) throw new Error('another manifest has a pod of the same name');
        wanted.set(keyOf(pod), this.#known(pod));
        this.#problems.delete(file);
      } catch (error) {
        this.#complain(file, messageOf(error));
      }
    }
    this.#wanted = wanted;
    for (const key of this.#made.keys()) if (!wanted.has(key)) this.#made.delete(key);
  }

  /** One that runs on keeps when it was first seen. */
  #known(pod: Pod): Pod {
    const before = this.#wanted.get(keyOf(pod));
    return before !== undefined && before.metadata.uid === pod.metadata.uid ? before : pod;
  }

  /** Once for each mistake. */
  #complain(file: string, problem: string): void {
    if (this.#problems.get(file) === problem) return;
    this.#problems.set(file, problem);
    const { recorder, nodeName, log } = this.#options;
    log.warn({ file, problem }, 'manifest is no static pod');
    recorder.event(nodeReference(nodeName), 'Warning', 'InvalidStaticPod', `${file}: ${problem}`);
  }

  /** A changed manifest is another pod, which waits until the one before has ended. */
  #apply(): void {
    for (const [key, worker] of this.#running) if (this.#wanted.get(key)?.metadata.uid !== worker.uid) worker.remove();
    for (const [key, pod] of this.#wanted) if (!this.#running.has(key)) this.#start(key, pod);
  }

  #start(key: string, pod: Pod): void {
    const mirror = this.#shown().get(key);
    const isOurs = mirror !== undefined && planMirror(pod, mirror) === 'none' && isMirrorPod(mirror);
    const worker = this.#host?.start(isOurs && mirror.status !== undefined ? { ...pod, status: mirror.status } : pod);
    if (worker === undefined) return;
    this.#running.set(key, worker);
    if (isOurs) worker.observeMirror(mirror);
    worker.done
      .then(() => {
        this.#running.delete(key);
        this.look();
      })
      .catch(() => {});
  }

  async #keepMirrors(): Promise<void> {
    const shown = this.#shown();
    for (const key of new Set([...this.#wanted.keys(), ...shown.keys()])) {
      const [pod, mirror] = [this.#wanted.get(key), shown.get(key)];
      // While it ends, people may still want to see it.
      if (pod === undefined && this.#running.has(key)) continue;
      await this.#keepMirror(pod, mirror).catch((error: unknown) => {
        this.#options.log.warn({ pod: key, error: messageOf(error) }, 'mirror of a static pod not kept');
      });
    }
  }

  async #keepMirror(pod: Pod | undefined, mirror: Pod | undefined): Promise<void> {
    const { client, clock } = this.#options;
    const plan = planMirror(pod, mirror);
    if (plan === 'delete' && mirror !== undefined) await this.#delete(mirror);
    if (pod === undefined || plan === 'none') return;
    const made = nextMirror(this.#made.get(keyOf(pod)) ?? [], clock.now());
    if (made === undefined) return;
    this.#made.set(keyOf(pod), made);
    try {
      const created = await client.create<Pod>(PODS, mirrorOf(pod, await this.#nodeUid()));
      this.#running.get(keyOf(pod))?.observeMirror(created);
    } catch (error) {
      // It has come meanwhile, and is compared when it is shown.
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
  }

  async #delete({ metadata: { namespace = '', name = '', uid } }: Pod): Promise<void> {
    const options = { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { uid }) };
    await this.#options.client.delete({ gvr: PODS, namespace, name }, options).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound', 'Conflict')) throw error;
    });
  }

  async #nodeUid(): Promise<string | undefined> {
    const { client, nodeName } = this.#options;
    return (await client.get<KubeObject>({ gvr: NODES, name: nodeName }).catch(() => undefined))?.metadata.uid;
  }

  #shown(): ReadonlyMap<string, Pod> {
    return new Map((this.#host?.shown() ?? []).filter(isMirrorOrRival(this.#wanted)).map((pod) => [keyOf(pod), pod]));
  }
}

/** A mirror, or another pod that has the name of one. */
function isMirrorOrRival(wanted: ReadonlyMap<string, Pod>): (pod: Pod) => boolean {
  return (pod) => isMirrorPod(pod) || wanted.has(keyOf(pod));
}

function keyOf({ metadata: { namespace = '', name = '' } }: Pod): string {
  return `${namespace}/${name}`;
}
