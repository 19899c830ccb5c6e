/** A pod's status as a kubelet would write it. Pure. */
import type { ContainerSnapshot } from '../runtime.ts';
import { resizeConditions } from './resize.ts';
import { restartAt } from './restart-backoff.ts';
import type { ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from './types.ts';
import {
  type ContainerView,
  isInitDone,
  isInitialized,
  isRunning,
  type PodResize,
  type PodView,
  shouldRestart,
} from './view.ts';

type Phase = NonNullable<PodStatus['phase']>;

export function statusOf(view: PodView, runtimeName: string): PodStatus {
  const { pod, containers, podIPs, hostIPs, failure } = view;
  const phase = phaseOf(view);
  const of = (...roles: readonly ContainerView['role'][]) =>
    containers
      .filter(({ role }) => roles.includes(role))
      .map((container) => containerStatus(container, view, runtimeName));
  const inits = of('init', 'sidecar');
  const ephemerals = of('ephemeral');
  const [hostIP] = hostIPs;
  const [podIP] = podIPs;
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: conditionsOf(view, phase),
    ...(failure === undefined ? {} : { reason: failure.reason, message: failure.message }),
    ...(hostIP === undefined ? {} : { hostIP, hostIPs: hostIPs.map((ip) => ({ ip })) }),
    ...(podIP === undefined ? {} : { podIP, podIPs: podIPs.map((ip) => ({ ip })) }),
    startTime: seconds(view.startTime),
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits }),
    containerStatuses: of('main'),
    ...(ephemerals.length === 0 ? {} : { ephemeralContainerStatuses: ephemerals }),
  };
}

function phaseOf({ pod, containers, failure }: PodView): Phase {
  if (failure !== undefined) return 'Failed';
  const mains = containers.filter(({ role }) => role === 'main');
  const brokenInit = containers.some(
    (view) => view.role === 'init' && (view.current?.exit?.code ?? 0) !== 0 && !shouldRestart(view, pod),
  );
  if (brokenInit) return 'Failed';
  if (mains.some(isRunning)) return 'Running';
  if (!isInitialized(containers) || mains.some(({ current }) => current === undefined)) return 'Pending';
  if (mains.some((view) => shouldRestart(view, pod))) return 'Running';
  return mains.every(({ current }) => current?.exit?.code === 0) ? 'Succeeded' : 'Failed';
}

function conditionsOf(view: PodView, phase: Phase): PodCondition[] {
  const { pod, containers, isPrepared } = view;
  const waiting = containers
    .filter((container) => container.role === 'init' && !isInitDone(container, containers))
    .concat(
      containers.filter((container) => container.role === 'sidecar' && !(isRunning(container) && container.isStarted)),
    )
    .map(({ container }) => container.name);
  const unready = containers
    .filter(
      (container) =>
        (container.role === 'main' || container.role === 'sidecar') && !(isRunning(container) && container.isReady),
    )
    .map(({ container }) => container.name);
  const initialized = isInitialized(containers) || waiting.length === 0;
  const containersReady = readiness(phase, unready);
  const gates = unmetGates(pod);
  const ready: Fact =
    containersReady.status === 'True' && gates.length > 0
      ? {
          status: 'False',
          reason: 'ReadinessGatesNotReady',
          message: `the status of pod readiness gate "${gates[0]}" is not "True", but False`,
        }
      : containersReady;
  const hasSandbox = isPrepared && phase !== 'Succeeded' && phase !== 'Failed';
  const facts: [string, Fact][] = [
    ['PodReadyToStartContainers', { status: hasSandbox ? 'True' : 'False' }],
    ['Initialized', initializedFact(initialized, waiting, phase)],
    ['Ready', ready],
    ['ContainersReady', containersReady],
    ...disruptionFacts(view),
    ...resizeConditions(view.resize ?? NO_RESIZE).map(({ type, ...fact }): [string, Fact] => [type, fact]),
  ];
  return facts.map(([type, fact]) => condition(type, fact, view));
}

type Fact = Pick<PodCondition, 'status' | 'reason' | 'message'>;

const NO_RESIZE: PodResize = { isBusy: false, retryAt: 0 };

function disruptionFacts({ failure }: PodView): [string, Fact][] {
  if (failure?.isDisruption !== true) return [];
  return [['DisruptionTarget', { status: 'True', reason: 'TerminationByKubelet', message: failure.message }]];
}

function initializedFact(initialized: boolean, waiting: readonly string[], phase: Phase): Fact {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  if (initialized) return { status: 'True' };
  const message = `containers with incomplete status: [${waiting.join(' ')}]`;
  return { status: 'False', reason: 'ContainersNotInitialized', message };
}

function readiness(phase: Phase, unready: readonly string[]): Fact {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  if (unready.length === 0) return { status: 'True' };
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

function unmetGates({ spec, status }: Pod): string[] {
  const gates = (spec.readinessGates ?? []).map(({ conditionType }) => conditionType);
  return gates.filter((gate) => status?.conditions?.find(({ type }) => type === gate)?.status !== 'True');
}

/** The time of the last transition is kept for as long as the condition says the same. */
function condition(type: string, fact: Fact, { pod, now }: PodView): PodCondition {
  const known = pod.status?.conditions?.find((other) => other.type === type);
  const isSame = known?.status === fact.status && known.lastTransitionTime !== undefined;
  return {
    type,
    ...fact,
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    lastProbeTime: null,
    lastTransitionTime: isSame ? known.lastTransitionTime : seconds(now),
  };
}

function containerStatus(view: ContainerView, pod: PodView, runtimeName: string): ContainerStatus {
  const { container, current, role } = view;
  const running = isRunning(view);
  const ready = role === 'init' ? isInitDone(view, pod.containers) : running && view.isReady;
  const { state, lastState } = statesOf(view, pod, runtimeName);
  return {
    name: container.name,
    state,
    ...(lastState === undefined ? {} : { lastState }),
    ready,
    restartCount: current?.labels.attempt ?? 0,
    image: container.image ?? '',
    imageID: view.imageId ?? '',
    ...(current === undefined || current.isPhantom ? {} : { containerID: `${runtimeName}://${current.id}` }),
    started: running && (role === 'init' ? false : view.isStarted),
    ...(running ? resourcesOf(view) : {}),
  };
}

/** Said only of containers that were given any. */
function resourcesOf({ allocated = {} }: ContainerView): Pick<ContainerStatus, 'allocatedResources' | 'resources'> {
  const { requests, limits } = allocated;
  if (requests === undefined && limits === undefined) return {};
  return { ...(requests === undefined ? {} : { allocatedResources: requests }), resources: allocated };
}

function statesOf(
  view: ContainerView,
  pod: PodView,
  runtimeName: string,
): { state: ContainerState; lastState?: ContainerState } {
  const { current, previous } = view;
  const before = previous?.exit === undefined ? undefined : terminated(previous, view.previousWords, runtimeName);
  const last = before === undefined ? {} : { lastState: before };
  if (current === undefined) return { state: { waiting: waitingReason(view, pod) } };
  if (current.exit === undefined) return { state: { running: { startedAt: seconds(current.startedAt) } }, ...last };
  const ended = terminated(current, view.lastWords, runtimeName);
  const waiting = waitingToRestart(view, pod);
  return waiting === undefined ? { state: ended, ...last } : { state: { waiting }, lastState: ended };
}

function waitingReason(view: ContainerView, pod: PodView): { reason: string; message?: string } {
  if (view.problem !== undefined) return { reason: view.problem.reason, message: view.problem.message };
  const hasInits = pod.containers.some(({ role }) => role === 'init' || role === 'sidecar');
  return { reason: hasInits ? 'PodInitializing' : 'ContainerCreating' };
}

/** Undefined while it is shown as terminated: it has ended for good, or its next start is imminent. */
function waitingToRestart(view: ContainerView, { pod, deletion, failure, now }: PodView): ContainerState['waiting'] {
  // The back-off of the restart after this one is known already.
  if (view.busy === 'starting') return undefined;
  const { exit } = view.current ?? {};
  if (exit === undefined || deletion !== undefined || failure !== undefined || !shouldRestart(view, pod))
    return undefined;
  if (view.problem !== undefined) return { reason: view.problem.reason, message: view.problem.message };
  if (now >= restartAt(view.backoff, exit.finishedAt)) return undefined;
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  const delay = formatDelay(view.backoff?.delayMs ?? 0);
  const message = `back-off ${delay} restarting failed container=${view.container.name} pod=${name}_${namespace}(${uid})`;
  return { reason: 'CrashLoopBackOff', message };
}

function terminated(snapshot: ContainerSnapshot, message: string | undefined, runtimeName: string): ContainerState {
  const { exit, startedAt, id, isPhantom } = snapshot;
  const code = exit?.code ?? 0;
  return {
    terminated: {
      exitCode: code,
      reason: exit?.reason ?? (code === 0 ? 'Completed' : 'Error'),
      ...(message === undefined || message === '' ? {} : { message }),
      startedAt: seconds(startedAt),
      finishedAt: seconds(exit?.finishedAt ?? startedAt),
      ...(isPhantom ? {} : { containerID: `${runtimeName}://${id}` }),
    },
  };
}

/** As Go prints a duration: `10s`, `1m20s`, `5m0s`. */
function formatDelay(ms: number): string {
  const total = Math.round(ms / 1000);
  return total < 60 ? `${total}s` : `${Math.floor(total / 60)}m${total % 60}s`;
}

function seconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
