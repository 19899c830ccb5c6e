/** What is known of a pod at one moment: the input of planning and of the status. */
import type { ContainerSnapshot } from '../runtime.ts';
import type { RestartBackoff } from './restart-backoff.ts';
import type { Container, Pod, Resources, RestartRule } from './types.ts';

export interface ContainerView {
  readonly container: Container;
  readonly role: 'init' | 'sidecar' | 'main' | 'ephemeral';
  /** The newest attempt. */
  readonly current?: ContainerSnapshot;
  /** The attempt before it. */
  readonly previous?: ContainerSnapshot;
  /** The last words of `current` and `previous`, once they ended. */
  readonly lastWords?: string;
  readonly previousWords?: string;
  /** Why the last try to start came to nothing. */
  readonly problem?: {
    readonly reason: string;
    readonly message: string;
    readonly at: number;
    readonly retryAt: number;
    readonly failures?: number;
  };
  /** The owner has been told of the wait before the next try. */
  readonly isBackingOff?: boolean;
  /** A start or a stop is under way. */
  readonly busy?: 'starting' | 'stopping';
  /** The startup probe has passed, or there is none, and the postStart hook is through. */
  readonly isStarted: boolean;
  readonly isReady: boolean;
  /** A probe or the hook demands that it be restarted. */
  readonly doom?: { readonly message: string; readonly graceSeconds?: number };
  readonly backoff?: RestartBackoff;
  /** Of the spec as it is now; `current.labels.hash` tells what runs. */
  readonly hash: string;
  readonly imageId?: string;
  /** What it runs with; its spec may want something else by now. */
  readonly allocated?: Resources;
  /** A rule has restarted all containers: what `current` has done counts no more. */
  readonly isRenewed?: boolean;
}

export interface PodView {
  readonly pod: Pod;
  readonly now: number;
  /** When this node first saw the pod. */
  readonly startTime: number;
  readonly containers: readonly ContainerView[];
  /** Volumes and addresses are there. */
  readonly isPrepared: boolean;
  readonly isPreparing: boolean;
  readonly prepareProblem?: { readonly message: string; readonly retryAt: number };
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  /** The pod must end: its object says so, or is gone. */
  readonly deletion?: { readonly graceSeconds: number };
  /** The pod has failed as a whole, whatever its containers say. */
  readonly failure?: PodFailure;
  readonly resize?: PodResize;
}

/** How far it is with resources that were changed while the pod runs. */
export interface PodResize {
  readonly isBusy: boolean;
  readonly retryAt: number;
  /** The node has not got what is wanted. */
  readonly pending?: { readonly reason: 'Deferred' | 'Infeasible'; readonly message: string };
  readonly problem?: string;
}

export interface PodFailure {
  readonly reason: string;
  readonly message: string;
  /** Its containers end within this, or their own grace where it is absent. */
  readonly graceSeconds?: number;
  /** The node ended it for its own sake: whoever counts failures need not count this one. */
  readonly isDisruption?: boolean;
}

export function isRunning({ current }: ContainerView): boolean {
  return current !== undefined && current.exit === undefined;
}

/** Whether its end means another start, by the container's rules, its own policy or the pod's. */
export function shouldRestart(view: ContainerView, pod: Pod): boolean {
  const { exit } = view.current ?? {};
  if (exit === undefined) return false;
  if (view.role === 'ephemeral') return false;
  if (view.role === 'sidecar' || view.isRenewed || ruleOf(view) !== undefined) return true;
  const policy = view.container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always';
  if (view.role === 'init') return exit.code !== 0 && policy !== 'Never';
  return policy === 'Always' || (policy === 'OnFailure' && exit.code !== 0);
}

/** It has ended with a code for which all containers of its pod begin anew. */
export function demandsRenewal(view: ContainerView): boolean {
  return !view.isRenewed && ruleOf(view)?.action === 'RestartAllContainers';
}

function ruleOf({ container, current }: ContainerView): RestartRule | undefined {
  const { exit } = current ?? {};
  if (exit === undefined) return undefined;
  return container.restartPolicyRules?.find(({ exitCodes }) => {
    const isListed = exitCodes?.values?.includes(exit.code) ?? false;
    return exitCodes?.operator === 'NotIn' ? !isListed : isListed;
  });
}

/** An init container that is through. After a reboot it runs again, since what it prepared may have gone with the machine. */
export function isInitDone(init: ContainerView, views: readonly ContainerView[]): boolean {
  const { current } = init;
  if (current?.exit?.code !== 0 || init.isRenewed) return false;
  return !views.some(
    ({ role, current: other }) => role === 'main' && lostToReboot(other) && other.startedAt >= current.startedAt,
  );
}

/** Init containers and sidecars are through as far as the main ones need them. */
export function isInitialized(views: readonly ContainerView[]): boolean {
  const hasStarted = views.some(
    ({ role, current, isRenewed }) => role === 'main' && current !== undefined && !isRenewed && !lostToReboot(current),
  );
  if (hasStarted) return true;
  return views.every((view) => {
    if (view.role === 'init') return isInitDone(view, views);
    return view.role !== 'sidecar' || (isRunning(view) && view.isStarted);
  });
}

/** Every main container has ended for good. */
export function isOver({ pod, containers }: PodView): boolean {
  const failedInit = containers.some(
    (view) =>
      view.role === 'init' &&
      view.current?.exit !== undefined &&
      view.current.exit.code !== 0 &&
      !shouldRestart(view, pod),
  );
  if (failedInit) return true;
  const mains = containers.filter(({ role }) => role === 'main');
  return mains.every(
    (view) => view.current?.exit !== undefined && view.busy === undefined && !shouldRestart(view, pod),
  );
}

/** Over or failed, and nothing runs or is about to. */
export function isAtRest(view: PodView): boolean {
  return (
    (isOver(view) || view.failure !== undefined) &&
    view.containers.every((container) => !isRunning(container) && container.busy === undefined)
  );
}

function lostToReboot(snapshot: ContainerSnapshot | undefined): snapshot is ContainerSnapshot {
  return snapshot?.exit?.reason === 'NodeRebooted';
}
