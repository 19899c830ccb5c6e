/** Whether a node is heard of, and what its conditions become when it is not. Pure. */
import type { Lease, Node, NodeCondition } from '@skerry/api/types';
import { findCondition, withoutCondition } from '../conditions.ts';
import { formatTime } from '../timestamps.ts';

/** A node from which nothing was heard for so long is not known to be alive, unless the cloud is told otherwise. */
export const DEFAULT_GRACE_MS = 40_000;

/**
 * What was last heard, and when we heard it: our own clock measures the silence, so that a node whose clock is wrong
 * is neither immortal nor dead.
 */
export interface Heard {
  readonly signature: string;
  /** On the monotonic clock. */
  readonly at: number;
}

export function listen(previous: Heard | undefined, node: Node, lease: Lease | undefined, now: number): Heard {
  const ready = findCondition(node.status?.conditions, 'Ready');
  const heartbeat = isOurs(ready) ? '' : ready?.lastHeartbeatTime;
  const signature = [node.metadata.uid, lease?.metadata.uid, lease?.spec?.renewTime, heartbeat].join('\0');
  // What we wrote ourselves is no sign of life, so a heartbeat that disappeared is none either.
  if (previous !== undefined && (previous.signature === signature || isSubset(signature, previous.signature))) {
    return { signature, at: previous.at };
  }
  return { signature, at: now };
}

function isSubset(signature: string, previous: string): boolean {
  const before = previous.split('\0');
  return signature.split('\0').every((part, index) => part === '' || part === before[index]);
}

export function isSilent(heard: Heard, graceMs: number, now: number): boolean {
  return now - heard.at > graceMs;
}

const SILENT_TYPES = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
const STOPPED = 'NodeStatusUnknown';
const NEVER = 'NodeStatusNeverUpdated';

function isOurs(condition: NodeCondition | undefined): boolean {
  return condition?.status === 'Unknown' && (condition.reason === STOPPED || condition.reason === NEVER);
}

/** The conditions of a node that fell silent; undefined when they say so already. */
export function silentConditions({ status }: Node, now: number): NodeCondition[] | undefined {
  const current = status?.conditions ?? [];
  const missing = SILENT_TYPES.filter((type) => findCondition(current, type)?.status !== 'Unknown');
  if (missing.length === 0) return undefined;
  let conditions = [...current];
  for (const type of missing) conditions = [...withoutCondition(conditions, type), unknown(type, current, now)];
  return conditions;
}

function unknown(type: string, current: readonly NodeCondition[], now: number): NodeCondition {
  const known = findCondition(current, type);
  return {
    type,
    status: 'Unknown',
    ...(known === undefined
      ? { reason: NEVER, message: 'Kubelet never posted node status.' }
      : { reason: STOPPED, message: 'Kubelet stopped posting node status.' }),
    ...(known?.lastHeartbeatTime === undefined ? {} : { lastHeartbeatTime: known.lastHeartbeatTime }),
    lastTransitionTime: formatTime(now),
  };
}
