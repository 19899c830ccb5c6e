/** One pod on this node: looks, plans, acts, and writes down what came of it. */
import { join } from 'node:path';
import type { Ref } from '@skerry/api';
import { type BackoffPolicy, backoffDelay, type Logger, messageOf, type Timer } from '@skerry/base';
import type { ContainerSnapshot, PodRuntime } from '../runtime.ts';
import { VolumeProblem } from '../volumes/payload.ts';
import { PodVolumes } from '../volumes/pod-volumes.ts';
import { adopt } from './adopt.ts';
import { clearPod, deleteObject, inTheEnd } from './clear-pod.ts';
import { type ContainerEntry, entriesOf } from './container-entry.ts';
import { ContainerRunner } from './container-runner.ts';
import { type FoundPod, type NodeContext, type PodContext, withRuntime } from './context.ts';
import type { PodFacts } from './downward.ts';
import { type Action, graceOf, graceOfDeletion, plan } from './plan.ts';
import { PodResizer } from './pod-resizer.ts';
import { chooseRuntime, guessRuntime } from './runtime-choice.ts';
import { podLogDirectory } from './start-container.ts';
import { statusOf } from './status.ts';
import { StatusWriter } from './status-writer.ts';
import { stopForRestart } from './stop-for-restart.ts';
import type { Pod } from './types.ts';
import { isAtRest, isOver, type PodFailure, type PodView } from './view.ts';

const PODS = { group: '', version: 'v1', resource: 'pods' } as const;
const RESIZE_RESTART = 'Container is restarted for other resources';
const PREPARE_RETRY: BackoffPolicy = { baseMs: 500, capMs: 60_000 };

export class PodWorker {
  readonly uid: string;
  /** Resolves when the pod has left the node. */
  readonly done: Promise<void>;
  readonly #context: PodContext;
  readonly #log: Logger;
  readonly #ref: Ref;
  readonly #entries: ContainerEntry[];
  readonly #volumes: PodVolumes;
  readonly #status: StatusWriter;
  readonly #runner: ContainerRunner;
  readonly #resizer: PodResizer;
  readonly #closed = new AbortController();
  readonly #done = Promise.withResolvers<void>();
  readonly #startTime: number;
  #pod: Pod;
  #runtime: PodRuntime;
  #prepared: 'no' | 'busy' | 'yes' = 'no';
  #prepareProblem: (NonNullable<PodView['prepareProblem']> & { readonly attempt: number }) | undefined;
  #podIPs: readonly string[];
  #isGone = false;
  #failure: PodFailure | undefined;
  #finishing = false;
  #isReleased = false;
  #scheduled = false;
  #wake: Timer | undefined;

  constructor(node: NodeContext, pod: Pod, found?: FoundPod) {
    const { namespace = '', name = '', uid = '' } = pod.metadata;
    this.uid = uid;
    this.#runtime = found?.runtime ?? guessRuntime(node.runtimes, pod);
    const context = withRuntime(node, () => this.#runtime);
    this.#context = context;
    this.#log = context.log.child({ pod: `${namespace}/${name}` });
    this.#ref = { gvr: PODS, namespace, name };
    this.#pod = pod;
    this.#entries = entriesOf(pod);
    this.#startTime = pod.status?.startTime === undefined ? context.clock.now() : Date.parse(pod.status.startTime);
    this.#podIPs = pod.status?.podIPs?.map(({ ip }) => ip) ?? [];
    this.#volumes = new PodVolumes({
      directory: join(context.directory, uid),
      read: context.readConfig(namespace),
      requestToken: context.requestToken,
      now: () => context.clock.now(),
      owner: () => this.#runtime.ownerOf(pod),
    });
    this.#status = new StatusWriter(context, this.#ref, pod);
    this.#runner = new ContainerRunner({
      uid,
      context,
      volumes: this.#volumes,
      signal: this.#closed.signal,
      pod: () => this.#pod,
      facts: () => this.#facts(),
      event: (type, reason, message) => this.#event(type, reason, message),
      onSnapshot: (snapshot) => this.onSnapshot(snapshot),
      touch: () => this.#touch(),
      inBackground: (work) => this.#inBackground(work),
    });
    this.#resizer = new PodResizer({
      clock: context.clock,
      runtime: () => this.#runtime,
      pod: () => this.#pod,
      entries: () => this.#entries,
      admit: (wanted, isAlone) => context.admit(wanted, isAlone),
      restart: (entry) => this.#runner.stop(entry, graceOf({ pod: this.#pod }), RESIZE_RESTART),
      event: (type, reason, message) => this.#event(type, reason, message),
    });
    this.done = this.#done.promise;
    if (pod.status?.phase === 'Failed' && pod.status.reason !== undefined) {
      this.#failure = { reason: pod.status.reason, message: pod.status.message ?? '' };
    }
    this.#adopt(found?.snapshots ?? []);
    this.#touch();
  }

  /** The one that was chosen for this pod. */
  get runtime(): PodRuntime {
    return this.#runtime;
  }

  get pod(): Pod {
    return this.#pod;
  }

  get entries(): readonly ContainerEntry[] {
    return this.#entries;
  }

  update(pod: Pod): void {
    const before = this.#pod;
    this.#pod = pod;
    const specs = entriesOf(pod);
    for (const { container, role } of specs) {
      const known = this.#entries.find((entry) => entry.container.name === container.name);
      if (known !== undefined) known.update(container);
      else if (role === 'ephemeral') this.#entries.push(...specs.filter((entry) => entry.container === container));
    }
    this.#hurry();
    if (pod.metadata.generation !== before.metadata.generation) this.#resizer.reconsider();
    this.#status.observe(pod);
    if (this.#prepared === 'yes') this.refreshVolumes();
    this.#touch();
  }

  /** What the API shows of this static pod. */
  observeMirror(mirror: Pod): void {
    if (mirror.status !== undefined) this.#pod = { ...this.#pod, status: mirror.status };
    this.#status.observe(mirror);
    this.#touch();
  }

  /** Ends the pod for good, for its own fault or the node's need. False when it ends already. */
  fail(failure: PodFailure): boolean {
    const view = this.view();
    if (view.deletion !== undefined || view.failure !== undefined || isOver(view)) return false;
    const { reason, message, graceSeconds, isDisruption } = failure;
    this.#failure = {
      reason,
      message,
      ...(graceSeconds === undefined ? {} : { graceSeconds }),
      ...(isDisruption ? { isDisruption } : {}),
    };
    this.#event('Warning', reason, message);
    this.#touch();
    return true;
  }

  /** The object is gone from the API: end the pod with its grace, and tell nobody. */
  remove(): void {
    this.#isGone = true;
    this.#hurry();
    this.#touch();
  }

  /** Ends the containers but not the pod: the next start of the agent runs it again. */
  async stopForShutdown(graceSeconds?: number): Promise<void> {
    const grace = Math.min(graceOf({ pod: this.#pod }), graceSeconds ?? Number.POSITIVE_INFINITY);
    this.close();
    await this.#runner.settled();
    await stopForRestart(this.#runner, this.#context.runtime, this.#pod, this.#entries, grace);
  }

  onSnapshot(snapshot: ContainerSnapshot): void {
    const entry = this.#entries.find(({ container }) => container.name === snapshot.labels.container);
    if (entry === undefined) return;
    const known = entry.current?.id === snapshot.id ? entry.current : undefined;
    if (known?.exit !== undefined) return;
    const before = entry.current;
    this.#runner.drop(entry, entry.accept(snapshot));
    if (entry.current?.id === snapshot.id) {
      if (snapshot.exit !== undefined) this.#runner.onExit(entry, snapshot);
      else if (before?.id !== snapshot.id && entry.busy !== 'starting') this.#runner.takeOver(entry, snapshot);
    }
    this.#touch();
  }

  /** Something the pod uses has changed, or has come: files follow at once, failed starts are tried again. */
  lookAround(): void {
    const now = this.#context.clock.now();
    for (const entry of this.#entries) {
      if (entry.problem?.reason === 'CreateContainerConfigError') entry.problem = { ...entry.problem, retryAt: now };
    }
    if (this.#prepareProblem !== undefined) this.#prepareProblem = { ...this.#prepareProblem, retryAt: now };
    if (this.#prepared === 'yes') this.refreshVolumes();
    this.#touch();
  }

  refreshVolumes(): void {
    this.#volumes.setUp(this.#pod, this.#facts()).then(
      () => this.#touch(),
      (error: unknown) => this.#log.warn({ error: messageOf(error) }, 'volumes not refreshed'),
    );
  }

  /** What the containers share is gone: it is made anew before any of them starts again. */
  loseSandbox(): void {
    this.#prepared = 'no';
    this.#event('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
    this.#touch();
  }

  /** Frees what the node's disk holds of containers that have ended. */
  async forgetDead(): Promise<void> {
    const isOver = isAtRest(this.view());
    for (const entry of this.#entries) await this.#runner.forgetDead(entry, isOver);
    this.#touch();
  }

  /** Stops looking after the pod; its containers run on. */
  close(): void {
    this.#closed.abort();
    this.#wake?.cancel();
    this.#status.stop();
    for (const entry of this.#entries) entry.stopProbing();
  }

  view(): PodView {
    const { clock, hostIPs } = this.#context;
    const deletion = this.#deletion();
    return {
      pod: this.#pod,
      now: clock.now(),
      startTime: this.#startTime,
      containers: this.#entries.map((entry) => entry.view()),
      isPrepared: this.#prepared === 'yes',
      isPreparing: this.#prepared === 'busy',
      podIPs: this.#podIPs,
      hostIPs: hostIPs(),
      ...(this.#prepareProblem === undefined ? {} : { prepareProblem: this.#prepareProblem }),
      ...(deletion === undefined ? {} : { deletion }),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      resize: this.#resizer.state,
    };
  }

  #deletion(): PodView['deletion'] {
    if (!this.#isGone && this.#pod.metadata.deletionTimestamp === undefined) return undefined;
    return { graceSeconds: graceOfDeletion(this.#pod) };
  }

  #facts(): PodFacts {
    const { hostIPs, allocatable } = this.#context;
    return { podIPs: this.#podIPs, hostIPs: hostIPs(), allocatable: allocatable() };
  }

  #adopt(snapshots: readonly ContainerSnapshot[]): void {
    if (!adopt(this.#pod, this.#entries, snapshots, this.#runner)) return;
    this.#prepared = 'yes';
    if (this.#podIPs.length === 0) this.#inBackground(this.#findAddresses());
    this.refreshVolumes();
  }

  /** Looks again soon; many reasons at once make one look. */
  #touch(): void {
    if (this.#scheduled || this.#closed.signal.aborted) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#look();
    });
  }

  #look(): void {
    if (this.#closed.signal.aborted || this.#finishing) return;
    const view = this.view();
    // Nobody waits for the images of a pod that ends.
    if ((view.deletion ?? view.failure) !== undefined) for (const entry of this.#entries) entry.cancelPull?.();
    const actions = plan(view);
    for (const action of actions) if (action.type !== 'wake') this.#perform(action);
    const wakes = actions.filter((action) => action.type === 'wake').map(({ at }) => at);
    if (this.#volumes.renewAt !== undefined) wakes.push(this.#volumes.renewAt);
    this.#wakeAt(wakes);
    this.#releaseWhenOver();
    if (!this.#isGone) this.#status.want(statusOf(this.view(), this.#context.runtime.name));
  }

  #releaseWhenOver(): void {
    if (this.#isReleased || !isAtRest(this.view())) return;
    this.#isReleased = true;
    this.#inBackground(this.#volumes.tearDown(this.uid));
    this.#inBackground(this.#runtime.releasePod?.(this.uid) ?? Promise.resolve());
  }

  #wakeAt(times: readonly number[]): void {
    this.#wake?.cancel();
    if (times.length === 0) return;
    const { clock } = this.#context;
    this.#wake = clock.after(Math.max(0, Math.min(...times) - clock.now()), () => {
      if ((this.#volumes.renewAt ?? Number.POSITIVE_INFINITY) <= clock.now()) this.refreshVolumes();
      this.#touch();
    });
  }

  #perform(action: Exclude<Action, { type: 'wake' }>): void {
    const entry = 'name' in action ? this.#entries.find(({ container }) => container.name === action.name) : undefined;
    switch (action.type) {
      case 'prepare':
        this.#inBackground(this.#prepare());
        return;
      case 'start':
        if (entry !== undefined) this.#inBackground(this.#runner.start(entry, action.attempt));
        return;
      case 'back-off':
        if (entry !== undefined) this.#runner.backOff(entry);
        return;
      case 'stop':
        if (entry !== undefined) this.#inBackground(this.#runner.stop(entry, action.graceSeconds, action.message));
        return;
      case 'renew':
        for (const each of this.#entries) each.renewed = each.current?.id;
        this.#touch();
        return;
      case 'resize':
        this.#inBackground(this.#resizer.run());
        return;
      case 'fail':
        this.fail(action);
        return;
      case 'finish':
        this.#finishing = true;
        this.#inBackground(inTheEnd(this.#context, this.#log, this.#closed.signal, () => this.#finish()));
        return;
    }
  }

  #inBackground(work: Promise<void>): void {
    work
      .catch((error: unknown) => this.#log.error({ error: messageOf(error) }, 'pod action failed'))
      .finally(() => this.#touch());
  }

  async #prepare(): Promise<void> {
    this.#prepared = 'busy';
    const { client, runtimes, clock } = this.#context;
    try {
      // What has run stays where it ran.
      const isNew = this.#entries.every(({ current }) => current === undefined);
      if (isNew && (await this.#isRejected())) return;
      if (isNew) this.#runtime = await chooseRuntime(client, runtimes, this.#pod);
      await this.#findAddresses();
      await this.#volumes.setUp(this.#pod, this.#facts());
      this.#prepared = 'yes';
      this.#prepareProblem = undefined;
    } catch (error) {
      this.#prepared = 'no';
      const attempt = (this.#prepareProblem?.attempt ?? -1) + 1;
      const retryAt = clock.now() + backoffDelay(PREPARE_RETRY, attempt) + PREPARE_RETRY.baseMs;
      this.#prepareProblem = { message: messageOf(error), retryAt, attempt };
      const reason = error instanceof VolumeProblem ? 'FailedMount' : 'FailedCreatePodSandBox';
      this.#event('Warning', reason, messageOf(error));
    }
  }

  /** Once a pod has been taken, nothing turns it away any more. */
  async #isRejected(): Promise<boolean> {
    const hasRun = this.#pod.status?.containerStatuses?.some(({ containerID }) => containerID !== undefined) ?? false;
    const rejection = hasRun ? undefined : await this.#context.admit(this.#pod);
    if (rejection === undefined) return false;
    this.#prepared = 'no';
    this.#failure = { reason: rejection.reason, message: `Pod was rejected: ${rejection.message}` };
    this.#event('Warning', rejection.reason, rejection.message);
    return true;
  }

  async #findAddresses(): Promise<void> {
    const { podIPs } = await this.#runtime.preparePod(this.#pod, podLogDirectory(this.#context, this.#pod));
    this.#podIPs = podIPs;
  }

  /** A second delete with less grace counts for stops that are already under way. */
  #hurry(): void {
    const deletion = this.#deletion();
    if (deletion === undefined) return;
    for (const entry of this.#entries) entry.hurry?.(deletion.graceSeconds);
  }

  /** Nothing runs: last status, then what is on the node, then the object. */
  async #finish(): Promise<void> {
    if (!this.#isGone) this.#status.want(statusOf(this.view(), this.#context.runtime.name));
    await this.#status.settle();
    await this.#volumes.tearDown(this.uid);
    await clearPod(this.#context, this.#pod, this.#entries);
    if (!this.#isGone) await deleteObject(this.#context, this.#ref, this.uid, this.#closed.signal);
    this.close();
    this.#done.resolve();
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.recorder.event(this.#pod, type, reason, message);
  }
}
