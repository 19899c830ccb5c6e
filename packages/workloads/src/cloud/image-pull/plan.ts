/** What an ImagePull needs next: tasks for its nodes, no more at once than it allows, and what its status says. Pure. */
import type {
  ImagePull,
  ImagePullCondition,
  ImagePullStatus,
  ImagePullTask,
  ImagePullTaskSpec,
  NodePullState,
  PullPhase,
} from '../../image-kinds/index.ts';
import { isSame } from '../canonical.ts';
import { withCondition } from '../conditions.ts';
import { formatTime } from '../timestamps.ts';

const DEFAULT_CONCURRENCY = 10;
/** Of nodes times images, so that a pull for a thousand nodes stays an object that people can read. */
export const MAX_SHOWN_PULLS = 256;

export interface PullWorld {
  readonly pull: ImagePull;
  /** Those that belong to it. */
  readonly tasks: readonly ImagePullTask[];
  readonly isReachable: (node: string) => boolean;
  readonly now: number;
}

export interface PullPlan {
  readonly create: readonly ImagePullTaskSpec[];
  readonly update: readonly { readonly task: ImagePullTask; readonly spec: ImagePullTaskSpec }[];
  readonly remove: readonly ImagePullTask[];
  readonly status: ImagePullStatus;
  /** When time alone changes something. */
  readonly recheckAfterMs?: number;
}

export function planPull(world: PullWorld): PullPlan {
  const { pull, tasks, isReachable, now } = world;
  const nodes = pull.status?.nodes ?? [];
  const wanted = new Set(nodes);
  const kept = tasks.filter(({ spec }) => wanted.has(spec.nodeName));
  const startedAt = startOf(pull, kept, now);
  const leftMs = startedAt === undefined ? undefined : timeLeft(pull, startedAt, now);
  const isOver = leftMs !== undefined && leftMs <= 0;
  const create = isOver ? [] : placesFor(world, kept).map((node) => specOf(pull, node));
  const update = kept.flatMap((task) => {
    const spec = { ...specOf(pull, task.spec.nodeName), ...(isOver && !isEnded(task) ? { cancelled: true } : {}) };
    // What has ended stays as it ended, unless something else is wanted now.
    return isSame(task.spec, spec) || (isOver && isEnded(task)) ? [] : [{ task, spec }];
  });
  const begunAt = startedAt ?? (create.length > 0 ? now : undefined);
  return {
    create,
    update,
    remove: tasks.filter(({ spec }) => !wanted.has(spec.nodeName)),
    status: statusOf(pull, kept, { isOver, isReachable, now, startedAt: begunAt }),
    ...(leftMs === undefined || isOver ? {} : { recheckAfterMs: leftMs }),
  };
}

/** The nodes that begin now: those that answer, in their order, as far as there is room. */
function placesFor({ pull, isReachable }: PullWorld, tasks: readonly ImagePullTask[]): readonly string[] {
  const busy = tasks.filter((task) => !isEnded(task) && isReachable(task.spec.nodeName)).length;
  const room = Math.max(0, (pull.spec.concurrency ?? DEFAULT_CONCURRENCY) - busy);
  const begun = new Set(tasks.map(({ spec }) => spec.nodeName));
  return (pull.status?.nodes ?? []).filter((node) => !begun.has(node) && isReachable(node)).slice(0, room);
}

function specOf({ spec }: ImagePull, nodeName: string): ImagePullTaskSpec {
  const { images, imagePullSecrets } = spec;
  return { nodeName, images, ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }) };
}

/** What the node said of an earlier spec does not count. */
function phaseOf({ metadata, status }: ImagePullTask): PullPhase {
  return status?.observedGeneration === metadata.generation ? (status?.phase ?? 'Pending') : 'Pending';
}

function isEnded(task: ImagePullTask): boolean {
  const phase = phaseOf(task);
  return phase === 'Pulled' || phase === 'Failed';
}

/** A new spec starts the time anew. */
function startOf({ metadata, status }: ImagePull, tasks: readonly ImagePullTask[], now: number): number | undefined {
  const isSameSpec = status?.observedGeneration === metadata.generation;
  if (isSameSpec && status?.startTime !== undefined) return Date.parse(status.startTime);
  return tasks.length === 0 ? undefined : now;
}

function timeLeft({ spec }: ImagePull, startedAt: number, now: number): number | undefined {
  const { activeDeadlineSeconds } = spec;
  return activeDeadlineSeconds === undefined ? undefined : startedAt + activeDeadlineSeconds * 1000 - now;
}

interface Moment {
  readonly isOver: boolean;
  readonly isReachable: (node: string) => boolean;
  readonly now: number;
  readonly startedAt: number | undefined;
}

function statusOf(pull: ImagePull, tasks: readonly ImagePullTask[], moment: Moment): ImagePullStatus {
  const { isOver, isReachable, now, startedAt } = moment;
  const nodes = pull.status?.nodes ?? [];
  const count = (phase: PullPhase) => tasks.filter((task) => phaseOf(task) === phase).length;
  const pulled = count('Pulled');
  const failed = isOver ? nodes.length - pulled : count('Failed');
  const pulling = isOver ? 0 : tasks.filter((task) => !isEnded(task) && isReachable(task.spec.nodeName)).length;
  const tally = { desired: nodes.length, pulled, pulling, failed };
  const isDone = nodes.length > 0 && pulled + failed >= nodes.length;
  const completedAt = isDone ? (pull.status?.completionTime ?? formatTime(now)) : undefined;
  return {
    ...(nodes.length === 0 ? {} : { nodes }),
    ...tally,
    ...(pull.metadata.generation === undefined ? {} : { observedGeneration: pull.metadata.generation }),
    ...(startedAt === undefined ? {} : { startTime: formatTime(startedAt) }),
    ...(completedAt === undefined ? {} : { completionTime: completedAt }),
    pulls: shownPulls(tasks),
    conditions: conditionsOf(pull, tally, moment),
  };
}

type Tally = Required<Pick<ImagePullStatus, 'desired' | 'pulled' | 'pulling' | 'failed'>>;

function conditionsOf({ status }: ImagePull, tally: Tally, moment: Moment): readonly ImagePullCondition[] {
  const { reason, message, isComplete, isProgressing } = verdictOf(tally, moment);
  const lastTransitionTime = formatTime(moment.now);
  const condition = (type: ImagePullCondition['type'], isTrue: boolean): ImagePullCondition => ({
    type,
    status: isTrue ? 'True' : 'False',
    reason,
    message,
    lastTransitionTime,
  });
  const before = status?.conditions ?? [];
  return withCondition(
    withCondition(before, condition('Progressing', isProgressing)),
    condition('Complete', isComplete),
  );
}

interface Verdict {
  readonly reason: string;
  readonly message: string;
  readonly isComplete: boolean;
  readonly isProgressing: boolean;
}

/** Without numbers, which the counts tell: a condition is written anew only when its reason changes. */
function verdictOf({ desired, pulled, pulling, failed }: Tally, { isOver }: Moment): Verdict {
  const still = { isComplete: false, isProgressing: false };
  if (desired === 0) return { reason: 'NoNodes', message: 'The placement chooses no node', ...still };
  if (pulled === desired) {
    return { reason: 'AllPulled', message: 'Every node holds the images', isComplete: true, isProgressing: false };
  }
  if (isOver)
    return { reason: 'DeadlineExceeded', message: 'Nodes that were not done in time were given up', ...still };
  if (pulled + failed === desired)
    return { reason: 'PullsFailed', message: 'Some nodes cannot get the images', ...still };
  if (pulling > 0) return { reason: 'Pulling', message: 'Nodes are pulling', isComplete: false, isProgressing: true };
  return { reason: 'NodesAway', message: 'The nodes that are left do not answer', ...still };
}

const ORDER: readonly PullPhase[] = ['Failed', 'Pulling', 'Pending', 'Pulled'];

/** Failures first, then what is under way, by node. */
function shownPulls(tasks: readonly ImagePullTask[]): readonly NodePullState[] {
  const all = tasks.flatMap((task) => {
    const isNews = task.status?.observedGeneration === task.metadata.generation;
    const known = new Map((isNews ? (task.status?.images ?? []) : []).map((state) => [state.image, state]));
    return task.spec.images.map(
      (image): NodePullState => ({ node: task.spec.nodeName, ...(known.get(image) ?? { image, phase: 'Pending' }) }),
    );
  });
  const rank = ({ phase }: NodePullState) => ORDER.indexOf(phase);
  return all
    .toSorted((one, other) => rank(one) - rank(other) || one.node.localeCompare(other.node, 'en'))
    .slice(0, MAX_SHOWN_PULLS);
}
