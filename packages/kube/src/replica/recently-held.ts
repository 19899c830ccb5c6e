/** What nodes held when their sessions ended, for the nodes that left last. A cache of versions, never a queue. */
import type { StoreKey } from '../store/contract.ts';
import { type Digest, isSameDigest } from './digest.ts';

export interface HeldVersions {
  readonly versions: Map<StoreKey, string>;
  readonly digest: Digest;
}

export class RecentlyHeld {
  readonly #limit: number;
  readonly #byNode = new Map<string, HeldVersions>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  keep(node: string, held: HeldVersions): void {
    this.#byNode.delete(node);
    this.#byNode.set(node, held);
    const [oldest] = this.#byNode.keys();
    if (this.#byNode.size > this.#limit && oldest !== undefined) this.#byNode.delete(oldest);
  }

  /** Forgets the node, and gives what it held if that has this digest. */
  take(node: string, digest: Digest): Map<StoreKey, string> | undefined {
    const held = this.#byNode.get(node);
    this.#byNode.delete(node);
    return held !== undefined && isSameDigest(held.digest, digest) ? held.versions : undefined;
  }
}
