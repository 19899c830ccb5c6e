/** Who works with which content right now: whoever adds it shares it, whoever removes it has it alone. */
import type { Digest } from '../images/index.ts';

export class Holds {
  readonly #shared = new Map<Digest, number>();
  readonly #removals = new Map<Digest, Promise<void>>();

  /** Waits for a removal that is under way; until `Symbol.dispose` nobody removes the content. */
  async share(digest: Digest): Promise<Disposable> {
    for (let removal = this.#removals.get(digest); removal !== undefined; removal = this.#removals.get(digest)) {
      await removal;
    }
    this.#shared.set(digest, (this.#shared.get(digest) ?? 0) + 1);
    return { [Symbol.dispose]: () => this.#release(digest) };
  }

  /** Runs `remove` with nobody sharing the content; false, and nothing done, where somebody does. */
  async exclude(digest: Digest, remove: () => Promise<void>): Promise<boolean> {
    if (this.#shared.has(digest) || this.#removals.has(digest)) return false;
    const removal = remove();
    // Those who wait want to know that it ended, not how.
    this.#removals.set(digest, removal.then(noop, noop));
    try {
      await removal;
    } finally {
      this.#removals.delete(digest);
    }
    return true;
  }

  #release(digest: Digest): void {
    const count = (this.#shared.get(digest) ?? 1) - 1;
    if (count === 0) this.#shared.delete(digest);
    else this.#shared.set(digest, count);
  }
}

function noop(): void {}
