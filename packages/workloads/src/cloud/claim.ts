/** Adoption and release: a controller owns what its selector matches, and lets go of what it no longer matches. */
import { type Gvk, type Gvr, isStatus, type KubeObject } from '@skerry/api';
import type { LabelSelector } from '@skerry/api/selectors';
import type { Client } from '@skerry/kube/client';
import { controllerReference, isControlledBy } from './owners.ts';

export interface Claims<T extends KubeObject> {
  /** Owned already, and matching. */
  readonly owned: readonly T[];
  /** Matching and nobody's. */
  readonly adopt: readonly T[];
  /** Owned, and matching no more. */
  readonly release: readonly T[];
}

export interface ClaimInput<T extends KubeObject> {
  readonly owner: KubeObject;
  readonly selector: LabelSelector;
  /** What the owner controls, as the cache has it. */
  readonly controlled: readonly T[];
  /** What nobody controls in the owner's namespace. */
  readonly orphans: readonly T[];
}

/** What to own. An owner that is being deleted adopts and releases nothing. */
export function diffClaims<T extends KubeObject>({ owner, selector, controlled, orphans }: ClaimInput<T>): Claims<T> {
  const matches = ({ metadata }: T) => selector.matches(metadata.labels);
  const isGoing = ({ metadata }: KubeObject) => metadata.deletionTimestamp !== undefined;
  const mine = controlled.filter((object) => isControlledBy(object, owner));
  const owned = mine.filter(matches);
  if (isGoing(owner)) return { owned, adopt: [], release: [] };
  return {
    owned,
    adopt: orphans.filter((object) => matches(object) && !isGoing(object)),
    release: mine.filter((object) => !matches(object) && !isGoing(object)),
  };
}

export interface ClaimTarget {
  readonly client: Client;
  /** The owner's type. */
  readonly ownerGvr: Gvr;
  readonly ownerGvk: Gvk;
  /** The type of what is claimed. */
  readonly gvr: Gvr;
}

/** Carries the claims out and gives back all that is owned then. */
export async function applyClaims<T extends KubeObject>(
  target: ClaimTarget,
  owner: KubeObject,
  claims: Claims<T>,
): Promise<readonly T[]> {
  for (const object of claims.release) await release(target, owner, object);
  if (claims.adopt.length === 0) return claims.owned;
  if (!(await isStillThere(target, owner))) return claims.owned;
  const adopted: T[] = [];
  for (const object of claims.adopt) {
    const taken = await adopt(target, owner, object);
    if (taken !== undefined) adopted.push(taken);
  }
  return [...claims.owned, ...adopted];
}

// The cache may still show an owner that is gone; adopting in its name would lead the garbage collector to the object.
async function isStillThere({ client, ownerGvr }: ClaimTarget, owner: KubeObject): Promise<boolean> {
  const { namespace = '', name = '', uid } = owner.metadata;
  try {
    const live = await client.get({ gvr: ownerGvr, namespace, name });
    return live.metadata.uid === uid && live.metadata.deletionTimestamp === undefined;
  } catch (error) {
    if (isStatus(error, 'NotFound')) return false;
    throw error;
  }
}

async function adopt<T extends KubeObject>(target: ClaimTarget, owner: KubeObject, object: T): Promise<T | undefined> {
  const ownerReferences = [controllerReference(owner, target.ownerGvk)];
  return patchIfSame(target, object, { ownerReferences });
}

async function release<T extends KubeObject>(target: ClaimTarget, owner: KubeObject, object: T): Promise<void> {
  const { uid } = owner.metadata;
  await patchIfSame(target, object, { ownerReferences: [{ $patch: 'delete', uid }] });
}

// The uid in the patch is a precondition: an object of the same name that came after is refused with a Conflict.
async function patchIfSame<T extends KubeObject>(
  { client, gvr }: ClaimTarget,
  { metadata }: T,
  change: object,
): Promise<T | undefined> {
  const { namespace = '', name = '', uid } = metadata;
  try {
    return await client.patch<T>({ gvr, namespace, name }, { metadata: { uid, ...change } }, { type: 'strategic' });
  } catch (error) {
    if (isStatus(error, 'NotFound', 'Invalid', 'Conflict')) return undefined;
    throw error;
  }
}
