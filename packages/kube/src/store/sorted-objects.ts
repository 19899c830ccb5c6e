/** All current objects in key order: a B-tree of two levels, so that inserts stay cheap and ordered reads run over plain arrays. */
import type { StoredObject, StoreKey } from './contract.ts';

/** Leaves split at this size; half of it is moved. Chosen by measurement between 128 and 2,048. */
const LEAF_LIMIT = 512;

/** Where an object is, or would be. */
interface Position {
  readonly leaf: number;
  readonly index: number;
}

export class SortedObjects {
  // Invariant: leaves are in order, no leaf is empty unless it is the only one, keys are unique.
  #leaves: StoredObject[][] = [[]];
  #size = 0;

  /** Takes objects that are already in key order. */
  static fromSorted(objects: readonly StoredObject[]): SortedObjects {
    const sorted = new SortedObjects();
    const fill = LEAF_LIMIT / 2;
    const leaves = [];
    for (let start = 0; start < objects.length; start += fill) leaves.push(objects.slice(start, start + fill));
    if (leaves.length > 0) sorted.#leaves = leaves;
    sorted.#size = objects.length;
    return sorted;
  }

  get size(): number {
    return this.#size;
  }

  get(key: StoreKey): StoredObject | undefined {
    const { leaf, index } = this.#seek(key);
    const found = this.#leaves[leaf]?.[index];
    return found?.key === key ? found : undefined;
  }

  set(object: StoredObject): void {
    const { leaf, index } = this.#seek(object.key);
    const objects = this.#leaf(leaf);
    if (objects[index]?.key === object.key) {
      objects[index] = object;
      return;
    }
    this.#size++;
    if (index === objects.length) objects.push(object);
    else objects.splice(index, 0, object);
    if (objects.length > LEAF_LIMIT) this.#leaves.splice(leaf + 1, 0, objects.splice(LEAF_LIMIT / 2));
  }

  delete(key: StoreKey): void {
    const { leaf, index } = this.#seek(key);
    const objects = this.#leaf(leaf);
    if (objects[index]?.key !== key) return;
    this.#size--;
    objects.splice(index, 1);
    if (objects.length === 0 && this.#leaves.length > 1) this.#leaves.splice(leaf, 1);
  }

  /** How many keys are in `[from, to)`; an absent end is open. */
  count(from: StoreKey, to?: StoreKey): number {
    return (to === undefined ? this.#size : this.#rank(to)) - this.#rank(from);
  }

  /** Up to `limit` objects with keys in `[from, to)`. */
  slice(from: StoreKey, to: StoreKey | undefined, limit: number): StoredObject[] {
    const result: StoredObject[] = [];
    const start = this.#seek(from);
    const end = to === undefined ? { leaf: this.#leaves.length, index: 0 } : this.#seek(to);
    for (let leaf = start.leaf; leaf <= end.leaf && leaf < this.#leaves.length; leaf++) {
      const objects = this.#leaf(leaf);
      const first = leaf === start.leaf ? start.index : 0;
      const last = Math.min(leaf === end.leaf ? end.index : objects.length, first + limit - result.length);
      for (let index = first; index < last; index++) result.push(objects[index] as StoredObject);
      if (result.length >= limit) break;
    }
    return result;
  }

  #leaf(leaf: number): StoredObject[] {
    return this.#leaves[leaf] as StoredObject[];
  }

  #rank(key: StoreKey): number {
    const { leaf, index } = this.#seek(key);
    let before = index;
    for (let i = 0; i < leaf; i++) before += this.#leaf(i).length;
    return before;
  }

  /** The first place whose key is not below `key`; in the last leaf that may hold it. */
  #seek(key: StoreKey): Position {
    let low = 0;
    let high = this.#leaves.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#leaf(middle)[0]?.key ?? '') <= key) low = middle;
      else high = middle - 1;
    }
    return { leaf: low, index: lowerBound(this.#leaf(low), key) };
  }
}

function lowerBound(objects: readonly StoredObject[], key: StoreKey): number {
  let low = 0;
  let high = objects.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((objects[middle] as StoredObject).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
