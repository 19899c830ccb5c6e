/** When a pod must leave its node because of taints. Pure. */
import type { Node, Pod, Taint } from '@skerry/api/types';
import { tolerates } from '../scheduler/node-rules.ts';
import { parseTime } from '../timestamps.ts';
import { autonomyOfPod, isEdge } from './autonomy.ts';
import { lostSince, NOT_READY, UNREACHABLE } from './taints.ts';

/** The time at which the pod is to be evicted; undefined when it may stay. */
export function evictionTime(pod: Pod, node: Node, now: number): number | undefined {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
  if (!isEdge(node)) return byTolerations(pod, taints, now);
  const others = byTolerations(
    pod,
    taints.filter((taint) => !isLifecycle(taint)),
    now,
  );
  return earlier(others, byAutonomy(pod, node, now));
}

/** core/v1 Toleration: one taint that is not tolerated sends the pod away at once, else the shortest patience counts. */
function byTolerations(pod: Pod, taints: readonly Taint[], now: number): number | undefined {
  let time: number | undefined;
  for (const taint of taints) {
    const start = parseTime(taint.timeAdded) ?? now;
    const patience = patienceWith(pod, taint);
    if (patience === undefined) continue;
    time = earlier(time, start + patience);
  }
  return time;
}

/** Milliseconds; undefined is for ever, 0 not at all. */
function patienceWith({ spec }: Pod, taint: Taint): number | undefined {
  const matching = (spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
  if (matching.length === 0) return 0;
  const limits = matching.flatMap(({ tolerationSeconds }) =>
    tolerationSeconds === undefined ? [] : [tolerationSeconds],
  );
  return limits.length === 0 ? undefined : Math.max(0, Math.min(...limits)) * 1000;
}

function byAutonomy(pod: Pod, node: Node, now: number): number | undefined {
  const since = lostSince(node.status?.conditions);
  if (since === undefined) return undefined;
  const autonomy = autonomyOfPod(pod, node);
  if (autonomy === Number.POSITIVE_INFINITY) return undefined;
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  const taint: Taint = {
    key: ready === 'Unknown' ? UNREACHABLE : NOT_READY,
    effect: 'NoExecute',
    timeAdded: new Date(since).toISOString(),
  };
  if (autonomy === 0) return byTolerations(pod, [taint], now);
  // Who tolerates it for ever stays, as DaemonSet pods do. A limit of time is the default's, which autonomy replaces.
  return patienceWith(pod, taint) === undefined ? undefined : since + autonomy;
}

function isLifecycle({ key }: Taint): boolean {
  return key === NOT_READY || key === UNREACHABLE;
}

function earlier(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return Math.min(left, right);
}
