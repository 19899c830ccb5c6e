/** What is done to the containers of one pod: starts, hooks, probes, ends. Each method leaves the entry as it found the world. */
import { rm } from 'node:fs/promises';
import { type BackoffPolicy, backoffCeiling, messageOf } from '@skerry/base';
import { type ContainerSnapshot, type ReadyImage, RuntimeRefusal } from '../runtime.ts';
import { VolumeProblem } from '../volumes/payload.ts';
import type { PodVolumes } from '../volumes/pod-volumes.ts';
import type { ContainerEntry } from './container-entry.ts';
import type { PodContext } from './context.ts';
import type { PodFacts } from './downward.ts';
import { ensureImage, ImageProblem } from './ensure-image.ts';
import { type HandlerTarget, runHandler } from './handler-run.ts';
import { readLastWords } from './last-words.ts';
import { startProbes } from './prober.ts';
import { afterRestart } from './restart-backoff.ts';
import { startContainer, terminationLogOf } from './start-container.ts';
import { Deadline, stopContainer } from './stop-container.ts';
import type { Container, Pod } from './types.ts';
import { isRunning } from './view.ts';

const START_RETRY: BackoffPolicy = { baseMs: 10_000, capMs: 300_000 };
/** What somebody may mend at any moment is looked at in even steps. */
const RETRIED_EVENLY: ReadonlySet<string> = new Set([
  'CreateContainerConfigError',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
]);
const IMAGE_BACK_OFF = 'ImagePullBackOff';
/** A hook without end must not keep its container from ever being started. */
const HOOK_TIMEOUT_MS = 600_000;
const MAX_ROTATED_LOGS = 10;

/** The pod around its containers. */
export interface PodScope {
  readonly uid: string;
  readonly context: PodContext;
  readonly volumes: PodVolumes;
  /** Aborts when nobody looks after the pod any more. */
  readonly signal: AbortSignal;
  pod(): Pod;
  facts(): PodFacts;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
  onSnapshot(snapshot: ContainerSnapshot): void;
  /** Looks at the pod again soon. */
  touch(): void;
  inBackground(work: Promise<void>): void;
}

export class ContainerRunner {
  readonly #scope: PodScope;
  /** Whoever waits for the end of a container, by its id. */
  readonly #endings = new Map<string, PromiseWithResolvers<void>>();

  /** Starts that are under way. */
  readonly #starts = new Set<Promise<void>>();
  readonly #stops = new Set<Promise<void>>();

  constructor(scope: PodScope) {
    this.#scope = scope;
  }

  start(entry: ContainerEntry, attempt: number): Promise<void> {
    const started = this.#start(entry, attempt).finally(() => this.#starts.delete(started));
    this.#starts.add(started);
    return started;
  }

  /** Resolves when no start is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#starts);
  }

  async #start(entry: ContainerEntry, attempt: number): Promise<void> {
    const { clock, starts } = this.#scope.context;
    const ended = entry.current?.exit;
    if (ended !== undefined && ended.reason !== 'NodeRebooted') {
      entry.backoff = afterRestart(entry.backoff, ended.finishedAt, clock.now());
    }
    entry.busy = 'starting';
    const { container } = entry;
    const cancelled = new AbortController();
    entry.cancelPull = () => cancelled.abort();
    try {
      // A pull takes its time without holding up what starts elsewhere on the node.
      const image = await this.#ensureImage(container, cancelled.signal);
      entry.cancelPull = undefined;
      const request = {
        image,
        pod: this.#scope.pod(),
        container,
        attempt,
        facts: this.#scope.facts(),
        volumes: this.#scope.volumes,
      };
      const snapshot = await starts.run(() => startContainer(this.#scope.context, request));
      entry.problem = undefined;
      entry.imageId = image.imageId;
      entry.allocated = container.resources ?? {};
      this.#scope.onSnapshot(snapshot);
      this.#scope.event('Normal', 'Created', `Container created: ${container.name}`);
      this.#scope.event('Normal', 'Started', `Container started: ${container.name}`);
      if (entry.current?.id === snapshot.id) this.#begin(entry, snapshot);
    } catch (error) {
      // Nobody waits any more: that is no failure of the container.
      if (!cancelled.signal.aborted && !this.#scope.signal.aborted) this.#refused(entry, attempt, error);
    } finally {
      entry.busy = undefined;
      entry.cancelPull = undefined;
    }
  }

  #ensureImage(container: Container, cancelled: AbortSignal): Promise<ReadyImage> {
    const { runtime, clock, readConfig } = this.#scope.context;
    const pod = this.#scope.pod();
    const signal = AbortSignal.any([cancelled, this.#scope.signal]);
    return ensureImage({
      runtime,
      clock,
      pod,
      container,
      read: readConfig(pod.metadata.namespace ?? ''),
      signal,
      event: (type, reason, message) => {
        if (!signal.aborted) this.#scope.event(type, reason, message);
      },
    });
  }

  #refused(entry: ContainerEntry, attempt: number, error: unknown): void {
    const { clock } = this.#scope.context;
    const message = messageOf(error);
    const refusal = error instanceof RuntimeRefusal ? error : undefined;
    const reason =
      refusal?.reason ?? (error instanceof VolumeProblem ? 'CreateContainerConfigError' : 'RunContainerError');
    this.#scope.event('Warning', 'Failed', `Error: ${error instanceof ImageProblem ? reason : message}`);
    if (reason === 'StartError') {
      this.drop(entry, entry.accept(neverStarted(this.#scope.pod(), entry.container, attempt, clock.now())));
      entry.lastWords = message;
      return;
    }
    const failures = (entry.problem?.failures ?? -1) + 1;
    const delay = backoffCeiling(START_RETRY, RETRIED_EVENLY.has(reason) ? 0 : failures);
    entry.isBackingOff = false;
    entry.problem = { reason, message, failures, at: clock.now(), retryAt: clock.now() + delay };
  }

  /** The owner hears once of each wait before another try. */
  backOff(entry: ContainerEntry): void {
    const { problem, container } = entry;
    entry.isBackingOff = true;
    if (problem === undefined) {
      const { name = '', namespace = '', uid = '' } = this.#scope.pod().metadata;
      const message = `Back-off restarting failed container ${container.name} in pod ${name}_${namespace}(${uid})`;
      this.#scope.event('Warning', 'BackOff', message);
      return;
    }
    const message = `Back-off pulling image "${container.image}"`;
    entry.problem = {
      ...problem,
      reason: IMAGE_BACK_OFF,
      message: `${message}: ${problem.reason}: ${problem.message}`,
    };
    this.#scope.event('Normal', 'BackOff', message);
    this.#scope.event('Warning', 'Failed', `Error: ${IMAGE_BACK_OFF}`);
  }

  /** It was started for us, and whoever started it died before it could say so. */
  takeOver(entry: ContainerEntry, snapshot: ContainerSnapshot): void {
    entry.problem = undefined;
    this.#begin(entry, snapshot);
  }

  /** The container runs, unless it has ended already: its hook first, then its probes. */
  #begin(entry: ContainerEntry, snapshot: ContainerSnapshot): void {
    if (!isRunning(entry.view()) || this.#scope.signal.aborted) return;
    const hook = entry.container.lifecycle?.postStart;
    entry.isStarted = false;
    entry.isReady = false;
    if (hook === undefined) {
      this.probe(entry, snapshot);
      return;
    }
    entry.probing = new AbortController();
    const target = this.#target(entry, snapshot, entry.probing.signal);
    this.#scope.inBackground(
      runHandler(hook, target, HOOK_TIMEOUT_MS).then(({ ok, message }) => {
        if (target.signal.aborted || this.#scope.signal.aborted) return;
        if (ok) {
          this.probe(entry, snapshot);
          return;
        }
        this.#scope.event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${message}`);
        entry.doom = { message: `FailedPostStartHook` };
      }),
    );
  }

  probe(entry: ContainerEntry, snapshot: ContainerSnapshot): void {
    const { clock } = this.#scope.context;
    const { container } = entry;
    entry.stopProbing();
    entry.probing = new AbortController();
    startProbes({
      clock,
      container,
      startedAt: snapshot.startedAt,
      target: this.#target(entry, snapshot, entry.probing.signal),
      known: { isStarted: entry.isStarted, isReady: entry.isReady },
      verdicts: {
        onStarted: () => {
          entry.isStarted = true;
          this.#scope.touch();
        },
        onReady: (isReady) => {
          entry.isReady = isReady;
          this.#scope.touch();
        },
        onDoom: (message, graceSeconds) => {
          entry.doom = { message, ...(graceSeconds === undefined ? {} : { graceSeconds }) };
          this.#scope.touch();
        },
        onUnhealthy: (message) => this.#scope.event('Warning', 'Unhealthy', message),
        onWarning: (message) => this.#scope.event('Warning', 'ProbeWarning', message),
      },
    });
  }

  #target(entry: ContainerEntry, { id }: ContainerSnapshot, signal: AbortSignal): HandlerTarget {
    const { runtime, clock } = this.#scope.context;
    return {
      runtime,
      clock,
      containerId: id,
      container: entry.container,
      podIP: this.#scope.facts().podIPs[0] ?? '127.0.0.1',
      signal,
    };
  }

  onExit(entry: ContainerEntry, snapshot: ContainerSnapshot): void {
    entry.stopProbing();
    entry.isReady = false;
    entry.isStarted = false;
    entry.doom = undefined;
    this.#endings.get(snapshot.id)?.resolve();
    this.#endings.delete(snapshot.id);
    const files = {
      terminationLog: terminationLogOf(this.#scope.context, this.#scope.uid, entry.container.name),
      log: snapshot.logPath,
    };
    this.#scope.inBackground(
      readLastWords(entry.container, files, snapshot.exit?.code ?? 0).then((words) => {
        if (entry.current?.id === snapshot.id) entry.lastWords = words;
        else if (entry.previous?.id === snapshot.id) entry.previousWords = words;
      }),
    );
  }

  stop(entry: ContainerEntry, graceSeconds: number, message: string | undefined): Promise<void> {
    const stopped = this.#stop(entry, graceSeconds, message).finally(() => this.#stops.delete(stopped));
    this.#stops.add(stopped);
    return stopped;
  }

  /** Resolves when no end is under way; those that are get no more than this grace. */
  async ended(entries: readonly ContainerEntry[], graceSeconds: number): Promise<void> {
    for (const entry of entries) entry.hurry?.(graceSeconds);
    await Promise.allSettled(this.#stops);
  }

  async #stop(entry: ContainerEntry, graceSeconds: number, message: string | undefined): Promise<void> {
    const { current, container } = entry;
    if (current === undefined || current.exit !== undefined || entry.busy !== undefined) return;
    entry.busy = 'stopping';
    entry.stopProbing();
    if (message !== undefined) this.#scope.event('Normal', 'Killing', message);
    const deadline = new Deadline(this.#scope.context.clock, graceSeconds);
    entry.hurry = (seconds) => deadline.shorten(seconds);
    const ending = Promise.withResolvers<void>();
    this.#endings.set(current.id, ending);
    try {
      await stopContainer({
        container,
        containerId: current.id,
        graceSeconds,
        target: this.#target(entry, current, new AbortController().signal),
        ended: ending.promise,
        deadline,
        onHookFailed: (text) => this.#scope.event('Warning', 'FailedPreStopHook', text),
      });
    } finally {
      entry.busy = undefined;
      entry.hurry = undefined;
    }
  }

  /** An attempt that is neither the current nor the last one: its record and its log go. */
  drop(entry: ContainerEntry, snapshot: ContainerSnapshot | undefined): void {
    if (snapshot === undefined || snapshot.isPhantom) return;
    this.#scope.inBackground(this.#discard(entry, snapshot));
  }

  /** Records and logs of what has ended go, to free the disk; how it ended is remembered. */
  async forgetDead(entry: ContainerEntry, isOver: boolean): Promise<void> {
    const { previous, current } = entry;
    if (previous !== undefined && !previous.isPhantom) {
      entry.previous = phantomOf(previous);
      await this.#discard(entry, previous);
    }
    if (!isOver || current?.exit === undefined || current.isPhantom) return;
    entry.current = phantomOf(current);
    await this.#discard(entry, current);
  }

  async #discard(entry: ContainerEntry, { id, exit, logPath }: ContainerSnapshot): Promise<void> {
    const { runtime, log } = this.#scope.context;
    if (exit === undefined) {
      log.warn({ id, container: entry.container.name }, 'a second run of the same container is ended');
      await runtime.kill(id);
    }
    await runtime.remove(id);
    if (logPath !== entry.current?.logPath) await removeLogs(logPath);
  }
}

function phantomOf(snapshot: ContainerSnapshot): ContainerSnapshot {
  return { ...snapshot, isPhantom: true, logPath: '' };
}

async function removeLogs(path: string): Promise<void> {
  await rm(path, { force: true });
  for (let index = 1; index < MAX_ROTATED_LOGS; index++) await rm(`${path}.${index}`, { force: true });
}

/** A container whose program could not be executed counts as an attempt that ended with 128, as with container runtimes. */
function neverStarted(pod: Pod, { name }: Container, attempt: number, now: number): ContainerSnapshot {
  const { namespace = '', name: podName = '', uid = '' } = pod.metadata;
  return {
    id: `unstarted-${attempt}`,
    isPhantom: true,
    labels: { namespace, pod: podName, uid, container: name, attempt, graceSeconds: 0, hash: '' },
    logPath: '',
    startedAt: now,
    exit: { code: 128, reason: 'StartError', finishedAt: now },
  };
}
