/** What versions of objects take, found out once for each. */
import type { KubeObject } from '../object.ts';
import type { Amounts } from './amounts.ts';
import { type CountedKind, quotaUsage } from './usage.ts';

export class Usages {
  readonly #known = new WeakMap<KubeObject, Amounts>();

  of(kind: CountedKind, object: KubeObject, now: number): Amounts {
    // What is on its way out takes nothing from some moment on.
    if (object.metadata.deletionTimestamp !== undefined) return quotaUsage(kind, object, now);
    const known = this.#known.get(object);
    if (known !== undefined) return known;
    const usage = quotaUsage(kind, object, now);
    this.#known.set(object, usage);
    return usage;
  }
}
