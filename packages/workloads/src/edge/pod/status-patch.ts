/** The smallest strategic merge patch that turns one status into another. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { PodCondition, PodStatus } from './types.ts';

/** What the node owns; the other fields and conditions are not its to touch. */
const OWNED = [
  'observedGeneration',
  'phase',
  'reason',
  'message',
  'hostIP',
  'hostIPs',
  'podIP',
  'podIPs',
  'startTime',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
] as const;

/** Lists that a strategic patch would merge item by item; they are replaced as a whole. */
const MERGED_LISTS: readonly string[] = ['hostIPs', 'podIPs'];

/** Conditions of the node's that are there only while there is something to say. */
const PASSING = ['PodResizePending', 'PodResizeInProgress'];

/** Undefined when there is nothing to write. */
export function statusPatch(current: PodStatus | undefined, wanted: PodStatus, uid: string): object | undefined {
  const changes: Record<string, unknown> = {};
  for (const field of OWNED) {
    const [before, after] = [current?.[field], wanted[field]];
    if (isDeepStrictEqual(before, after)) continue;
    changes[field] = after === undefined ? null : replaceWhole(field, before, after);
  }
  const conditions = (wanted.conditions ?? []).filter((condition) => !isKnown(condition, current));
  const over = (current?.conditions ?? []).filter(({ type }) => isOver(type, wanted));
  if (conditions.length + over.length > 0) {
    changes['conditions'] = [
      ...conditions.map(withoutLeftovers(current)),
      ...over.map(({ type }) => ({ type, $patch: 'delete' })),
    ];
  }
  return Object.keys(changes).length === 0 ? undefined : { metadata: { uid }, status: changes };
}

function isOver(type: string, { conditions = [] }: PodStatus): boolean {
  return PASSING.includes(type) && !conditions.some((condition) => condition.type === type);
}

function replaceWhole(field: string, before: unknown, after: unknown): unknown {
  if (before === undefined || !MERGED_LISTS.includes(field)) return after;
  return [...(after as unknown[]), { $patch: 'replace' }];
}

function isKnown(condition: PodCondition, current: PodStatus | undefined): boolean {
  const known = current?.conditions?.find(({ type }) => type === condition.type);
  if (known === undefined) return false;
  const { lastProbeTime: _mine, ...mine } = condition;
  const { lastProbeTime: _theirs, ...theirs } = known;
  return isDeepStrictEqual(mine, theirs);
}

/** A reason that no longer holds is taken away, since merging would keep it. */
function withoutLeftovers(current: PodStatus | undefined): (condition: PodCondition) => object {
  return (condition) => {
    const known = current?.conditions?.find(({ type }) => type === condition.type);
    return {
      ...condition,
      ...(known?.reason !== undefined && condition.reason === undefined ? { reason: null } : {}),
      ...(known?.message !== undefined && condition.message === undefined ? { message: null } : {}),
    };
  };
}
