/** Writing a history of ControllerRevisions down. */
import { type Gvk, type Gvr, isStatus } from '@skerry/api';
import type { ControllerRevision } from '@skerry/api/types';
import type { Client } from '@skerry/kube/client';
import type { Informer } from '@skerry/kube/controller';
import { isSame } from './canonical.ts';
import { applyClaims, diffClaims } from './claim.ts';
import { ownSelector } from './owner-keys.ts';
import { controlledBy, isControlledBy, orphansIn } from './owners.ts';
import { CONTROLLER_REVISIONS } from './resources.ts';
import type { HistoryDiff, Revisioned } from './revisions.ts';
import { deleteIfThere, isNamespaceGoing, refOf } from './writes.ts';

export interface HistoryTarget {
  readonly client: Client;
  readonly revisions: Informer<ControllerRevision>;
  readonly ownerGvr: Gvr;
  readonly ownerGvk: Gvk;
  /** Another template has the same name: raises the owner's `status.collisionCount`. */
  readonly countCollision: () => Promise<void>;
}

export function claimRevisions(target: HistoryTarget, owner: Revisioned): Promise<readonly ControllerRevision[]> {
  const { client, revisions, ownerGvr, ownerGvk } = target;
  const claims = diffClaims({
    owner,
    selector: ownSelector(owner),
    controlled: controlledBy(revisions, owner),
    orphans: orphansIn(revisions, owner.metadata.namespace ?? ''),
  });
  return applyClaims({ client, ownerGvr, ownerGvk, gvr: CONTROLLER_REVISIONS }, owner, claims);
}

/** False when the round ends here because the revision's name is taken. */
export async function writeHistory(target: HistoryTarget, owner: Revisioned, history: HistoryDiff): Promise<boolean> {
  const { client } = target;
  const { current, create, renumber, remove } = history;
  if (create && !(await createRevision(target, owner, current))) return false;
  if (renumber !== undefined) await client.update(CONTROLLER_REVISIONS, { ...current, revision: renumber });
  for (const revision of remove) await deleteIfThere(client, refOf(CONTROLLER_REVISIONS, revision));
  return true;
}

async function createRevision(
  target: HistoryTarget,
  owner: Revisioned,
  revision: ControllerRevision,
): Promise<boolean> {
  const { client, countCollision } = target;
  try {
    await client.create(CONTROLLER_REVISIONS, revision);
    return true;
  } catch (error) {
    if (isNamespaceGoing(error)) return false;
    if (!isStatus(error, 'AlreadyExists')) throw error;
  }
  const live = await client.get<ControllerRevision>(refOf(CONTROLLER_REVISIONS, revision));
  // A write of ours that the cache does not show yet.
  if (isControlledBy(live, owner) && isSame(live.data, revision.data)) return true;
  await countCollision();
  return false;
}
