/** The taints that follow from a node's conditions. Pure. */
import type { Node, NodeCondition, Taint, TaintEffect } from '@skerry/api/types';
import { findCondition } from '../conditions.ts';
import { formatTime, parseTime } from '../timestamps.ts';
import { autonomyOfNode } from './autonomy.ts';

export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';

const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** Conditions that, when True, keep new pods away. */
const PRESSURES: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
};

const MANAGED = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE, ...Object.values(PRESSURES)]);

export interface TaintPlan {
  /** The whole list; undefined when the node has it already. */
  readonly taints: readonly Taint[] | undefined;
  /** When the list changes by mere passing of time. */
  readonly recheckAfterMs: number | undefined;
}

export function planTaints(node: Node, conditions: readonly NodeCondition[], now: number): TaintPlan {
  const current = node.spec?.taints ?? [];
  const givesUpAt = giveUpTime(node, conditions);
  const wanted = wantedTaints(node, conditions, givesUpAt !== undefined && givesUpAt <= now);
  const kept = current.filter((taint) => !MANAGED.has(taint.key) || wanted.some((one) => isSame(one, taint)));
  const added = wanted.filter((taint) => !current.some((one) => isSame(one, taint)));
  const isRight = added.length === 0 && kept.length === current.length;
  const pending = givesUpAt !== undefined && givesUpAt > now && Number.isFinite(givesUpAt);
  return {
    taints: isRight ? undefined : [...kept, ...added.map((taint) => ({ ...taint, timeAdded: formatTime(now) }))],
    recheckAfterMs: pending ? givesUpAt - now : undefined,
  };
}

/** Since when the node has not been ready; undefined when it is, or never said anything. */
export function lostSince(conditions: readonly NodeCondition[] | undefined): number | undefined {
  const ready = findCondition(conditions, 'Ready');
  if (ready === undefined || ready.status === 'True') return undefined;
  return parseTime(ready.lastTransitionTime) ?? 0;
}

/** When the pods of a node that is not ready are given up. */
function giveUpTime(node: Node, conditions: readonly NodeCondition[]): number | undefined {
  const since = lostSince(conditions);
  return since === undefined ? undefined : since + autonomyOfNode(node);
}

function wantedTaints({ spec }: Node, conditions: readonly NodeCondition[], isGivenUp: boolean): Taint[] {
  const taints: Taint[] = [];
  const ready = findCondition(conditions, 'Ready')?.status;
  if (ready !== 'True') {
    const key = ready === 'Unknown' ? UNREACHABLE : NOT_READY;
    taints.push(taintOf(key, 'NoSchedule'));
    if (isGivenUp) taints.push(taintOf(key, 'NoExecute'));
  }
  for (const [type, key] of Object.entries(PRESSURES)) {
    if (findCondition(conditions, type)?.status === 'True') taints.push(taintOf(key, 'NoSchedule'));
  }
  if (spec?.unschedulable === true) taints.push(taintOf(UNSCHEDULABLE, 'NoSchedule'));
  return taints;
}

function taintOf(key: string, effect: TaintEffect): Taint {
  return { key, effect };
}

function isSame(left: Taint, right: Taint): boolean {
  return left.key === right.key && left.effect === right.effect;
}
