/** Who owns whom, by uid. Pure: objects in, uids to look at out. */
import type { KubeObject, OwnerReference } from '@skerry/api';
import type { Kind } from '../served-kinds.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** What the collector knows of an object. */
export interface Item {
  readonly kind: Kind;
  readonly uid: string;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly owners: readonly OwnerReference[];
  readonly finalizers: readonly string[];
  readonly isDeleting: boolean;
}

export function itemOf(kind: Kind, { metadata }: KubeObject): Item {
  return {
    kind,
    uid: metadata.uid ?? '',
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    owners: metadata.ownerReferences ?? [],
    finalizers: metadata.finalizers ?? [],
    isDeleting: metadata.deletionTimestamp !== undefined,
  };
}

/** Waits for its dependents to go first. */
export function isWaitingForDependents({ isDeleting, finalizers }: Item): boolean {
  return isDeleting && finalizers.includes(FOREGROUND);
}

/** Wants its dependents to outlive it. */
export function isOrphaning({ isDeleting, finalizers }: Item): boolean {
  return isDeleting && finalizers.includes(ORPHAN);
}

export class Graph {
  readonly #items = new Map<string, Item>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): Item | undefined {
    return this.#items.get(uid);
  }

  dependentsOf(uid: string): readonly Item[] {
    const found: Item[] = [];
    for (const dependent of this.#dependents.get(uid) ?? []) {
      const item = this.#items.get(dependent);
      if (item !== undefined) found.push(item);
    }
    return found;
  }

  /** Gives back the uids of all whose fate may have changed. */
  put(item: Item): readonly string[] {
    const previous = this.#items.get(item.uid);
    this.#items.set(item.uid, item);
    if (previous !== undefined) this.#unlink(previous);
    for (const { uid } of item.owners) this.#link(uid, item.uid);
    const concerned = new Set<string>();
    if (item.owners.length > 0 || isWaitingForDependents(item) || isOrphaning(item)) concerned.add(item.uid);
    if (isWaitingForDependents(item)) for (const { uid } of this.dependentsOf(item.uid)) concerned.add(uid);
    for (const { uid } of previous?.owners ?? []) if (this.#isWaiting(uid)) concerned.add(uid);
    return [...concerned];
  }

  remove(uid: string): readonly string[] {
    const item = this.#items.get(uid);
    if (item === undefined) return [];
    this.#items.delete(uid);
    this.#unlink(item);
    const waitingOwners = item.owners.map((owner) => owner.uid).filter((owner) => this.#isWaiting(owner));
    return [...this.dependentsOf(uid).map((dependent) => dependent.uid), ...waitingOwners];
  }

  #isWaiting(uid: string): boolean {
    const owner = this.#items.get(uid);
    return owner !== undefined && isWaitingForDependents(owner);
  }

  #link(owner: string, dependent: string): void {
    const dependents = this.#dependents.get(owner);
    if (dependents === undefined) this.#dependents.set(owner, new Set([dependent]));
    else dependents.add(dependent);
  }

  #unlink({ uid, owners }: Item): void {
    for (const owner of owners) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}
