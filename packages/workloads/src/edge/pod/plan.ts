/** What to do next for one pod. Pure: the worker performs the actions and asks again when something has changed. */
import { needsResize } from './resize.ts';
import { restartAt } from './restart-backoff.ts';
import type { Pod } from './types.ts';
import {
  type ContainerView,
  demandsRenewal,
  isInitDone,
  isInitialized,
  isOver,
  isRunning,
  type PodView,
  shouldRestart,
} from './view.ts';

export type Action =
  /** Make volumes and what the containers share. */
  | { readonly type: 'prepare' }
  | { readonly type: 'start'; readonly name: string; readonly attempt: number }
  /** Say that the next try has to wait. */
  | { readonly type: 'back-off'; readonly name: string }
  | { readonly type: 'stop'; readonly name: string; readonly graceSeconds: number; readonly message: string }
  /** Nothing runs any more and the pod is to go: clean up and say so to the API. */
  | { readonly type: 'finish' }
  /** Nothing runs any more, and every container begins anew. */
  | { readonly type: 'renew' }
  /** Give running containers the resources that their spec says by now. */
  | { readonly type: 'resize' }
  /** The pod as a whole fails. */
  | { readonly type: 'fail'; readonly reason: string; readonly message: string }
  | { readonly type: 'wake'; readonly at: number };

const FAILED_PULL = 'ErrImagePull';
const FAILED_PULL_SHOWN_MS = 3000;
const DEFAULT_GRACE_SECONDS = 30;

const FORCED_GRACE_SECONDS = 2;

export function plan(view: PodView): Action[] {
  if (view.deletion !== undefined) return planEnd(view, view.deletion.graceSeconds, { type: 'finish' });
  if (view.failure !== undefined) return planEnd(view, view.failure.graceSeconds ?? graceOf(view), undefined);
  const deadline = deadlineOf(view);
  if (deadline !== undefined && view.now >= deadline && !isOver(view)) {
    const message = 'Pod was active on the node longer than the specified deadline';
    return [{ type: 'fail', reason: 'DeadlineExceeded', message }];
  }
  if (view.containers.some(demandsRenewal)) return planEnd(view, graceOf(view), { type: 'renew' });
  const actions = isOver(view) ? planEnd(view, graceOf(view), undefined) : [...planWork(view), ...planResize(view)];
  return deadline === undefined || isOver(view) ? actions : [...actions, { type: 'wake', at: deadline }];
}

/** Main containers first; then sidecars, the last one started first. */
function planEnd(view: PodView, graceSeconds: number, whenDone: Action | undefined): Action[] {
  const live = view.containers.filter((container) => isRunning(container) || container.busy !== undefined);
  if (live.length === 0) return whenDone === undefined ? [] : [whenDone];
  const others = live.filter(({ role }) => role !== 'sidecar');
  const next = others.length > 0 ? others : live.slice(-1);
  return next
    .filter(({ busy }) => busy === undefined)
    .map(({ container: { name } }) => ({ type: 'stop', name, graceSeconds, message: `Stopping container ${name}` }));
}

function planWork(view: PodView): Action[] {
  if (!view.isPrepared) return planPreparation(view);
  const actions: Action[] = [];
  const initialized = isInitialized(view.containers);
  for (const container of view.containers) {
    const { role } = container;
    if (role === 'init') {
      if (initialized || isInitDone(container, view.containers)) continue;
      actions.push(...planContainer(container, view));
      return actions;
    }
    actions.push(...planContainer(container, view));
    // A sidecar holds back what comes after it only until the pod has got going.
    if (role === 'sidecar' && !initialized && !(isRunning(container) && container.isStarted)) return actions;
  }
  return actions;
}

function planResize({ containers, resize, now }: PodView): Action[] {
  if (!containers.some(needsResize) || resize?.isBusy) return [];
  const retryAt = resize?.retryAt ?? 0;
  if (now >= retryAt) return [{ type: 'resize' }];
  return Number.isFinite(retryAt) ? [{ type: 'wake', at: retryAt }] : [];
}

function planPreparation({ isPreparing, prepareProblem, now }: PodView): Action[] {
  if (isPreparing) return [];
  if (prepareProblem === undefined || now >= prepareProblem.retryAt) return [{ type: 'prepare' }];
  return [{ type: 'wake', at: prepareProblem.retryAt }];
}

function planContainer(container: ContainerView, view: PodView): Action[] {
  if (container.busy !== undefined) return [];
  if (isRunning(container)) return planRunning(container, view);
  const { current, problem, container: spec } = container;
  const start = {
    type: 'start',
    name: spec.name,
    attempt: current === undefined ? 0 : current.labels.attempt + 1,
  } as const;
  const mayStart = current?.exit === undefined ? view.now : startableAt(container, view);
  if (mayStart === undefined) return [];
  const at = Math.max(mayStart, problem?.retryAt ?? 0);
  return view.now >= at ? [start] : [...planBackOff(container, view.now), { type: 'wake', at }];
}

/** A failed pull is shown as such for a while, then as the wait for the next. */
function planBackOff({ container: { name }, problem, isBackingOff = false }: ContainerView, now: number): Action[] {
  if (isBackingOff || (problem !== undefined && problem.reason !== FAILED_PULL)) return [];
  const at = problem === undefined ? now : problem.at + FAILED_PULL_SHOWN_MS;
  return now >= at ? [{ type: 'back-off', name }] : [{ type: 'wake', at }];
}

/** Undefined: it has ended for good. */
function startableAt(container: ContainerView, { pod, containers, now }: PodView): number | undefined {
  const { exit } = container.current ?? {};
  if (exit === undefined) return now;
  if (container.isRenewed) return now;
  // The machine went down under it: that is no crash of its own.
  if (exit.reason === 'NodeRebooted' && shouldRestart(container, pod)) return now;
  if (container.role === 'init' && !isInitDone(container, containers) && exit.code === 0) return now;
  return shouldRestart(container, pod) ? restartAt(container.backoff, exit.finishedAt) : undefined;
}

function planRunning(container: ContainerView, view: PodView): Action[] {
  const { name } = container.container;
  if (container.doom !== undefined) {
    const graceSeconds = container.doom.graceSeconds ?? graceOf(view);
    return [{ type: 'stop', name, graceSeconds, message: container.doom.message }];
  }
  if (container.current?.labels.hash === container.hash) return [];
  const message = `Container ${name} definition changed, will be restarted`;
  return [{ type: 'stop', name, graceSeconds: graceOf(view), message }];
}

/** What is gone without having been asked to end was deleted by force: nobody waits for its own grace. */
export function graceOfDeletion(pod: Pod): number {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  const own = graceOf({ pod });
  if (deletionGracePeriodSeconds !== undefined) return deletionGracePeriodSeconds;
  return deletionTimestamp === undefined ? Math.min(own, FORCED_GRACE_SECONDS) : own;
}

export function graceOf({ pod }: Pick<PodView, 'pod'>): number {
  return pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
}

function deadlineOf({ pod, startTime }: PodView): number | undefined {
  const { activeDeadlineSeconds } = pod.spec;
  return activeDeadlineSeconds === undefined ? undefined : startTime + activeDeadlineSeconds * 1000;
}
