/** What to do with one object, once it is known how its owners are. Pure. */
import type { OwnerReference } from '@skerry/api';
import { type Item, isOrphaning, isWaitingForDependents } from './graph.ts';

/** How an owner is: there, gone, or there only until its dependents are gone. */
export type OwnerState = 'there' | 'gone' | 'waiting';

export type Decision =
  | { readonly action: 'keep' }
  /** It lets its dependents go free, and then itself goes. */
  | { readonly action: 'orphanDependents' }
  /** Its dependents are gone: nothing holds it any more. */
  | { readonly action: 'release' }
  /** It waits for these. */
  | { readonly action: 'waitFor'; readonly dependents: readonly Item[] }
  | { readonly action: 'dropOwners'; readonly keep: readonly OwnerReference[] }
  /** It no longer holds its owners up: it is part of a circle, which would hold itself for ever. */
  | { readonly action: 'unblockOwners'; readonly owners: readonly OwnerReference[] }
  | { readonly action: 'delete'; readonly policy: 'Background' | 'Foreground' | 'Orphan' };

export interface DecisionInput {
  readonly item: Item;
  readonly dependents: readonly Item[];
  readonly states: ReadonlyMap<string, OwnerState>;
}

/** True when the decision needs the state of the owners. */
export function dependsOnOwners(item: Item): boolean {
  return !item.isDeleting && item.owners.length > 0;
}

export function decide({ item, dependents, states }: DecisionInput): Decision {
  if (isOrphaning(item)) return { action: 'orphanDependents' };
  if (isWaitingForDependents(item)) return whileWaiting(item, dependents);
  if (!dependsOnOwners(item)) return { action: 'keep' };
  const stateOf = ({ uid }: OwnerReference) => states.get(uid) ?? 'there';
  const there = item.owners.filter((owner) => stateOf(owner) === 'there');
  if (there.length === item.owners.length) return { action: 'keep' };
  if (there.length > 0) return { action: 'dropOwners', keep: there };
  const ownerWaits = item.owners.some((owner) => stateOf(owner) === 'waiting');
  if (ownerWaits && closesCircle(item, dependents)) {
    const owners = item.owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
    return { action: 'unblockOwners', owners };
  }
  return { action: 'delete', policy: policyFor(item, ownerWaits && dependents.length > 0) };
}

/** An owner waits for it, and it would wait for one that waits already: likely the same one, some steps on. */
function closesCircle({ owners }: Item, dependents: readonly Item[]): boolean {
  return (
    dependents.some(isWaitingForDependents) && owners.some(({ blockOwnerDeletion }) => blockOwnerDeletion === true)
  );
}

function whileWaiting({ uid }: Item, dependents: readonly Item[]): Decision {
  const blocking = dependents.filter(({ owners }) =>
    owners.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
  );
  return blocking.length === 0 ? { action: 'release' } : { action: 'waitFor', dependents: blocking };
}

// A finalizer put on an object before it is deleted says how its own dependents are to fare.
function policyFor({ finalizers }: Item, ownerWaits: boolean): 'Background' | 'Foreground' | 'Orphan' {
  if (finalizers.includes('orphan')) return 'Orphan';
  if (finalizers.includes('foregroundDeletion') || ownerWaits) return 'Foreground';
  return 'Background';
}
