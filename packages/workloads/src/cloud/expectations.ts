/**
 * What an owner wrote and its cache does not show yet. While something is outstanding, counting what is there would
 * count wrong, and a controller would make doubles or delete too many.
 *
 * Invariant: an owner whose expectations are met sees all of its own writes.
 */
import type { KubeObject } from '@skerry/api';
import type { Clock } from '@skerry/base';
import { type Informer, keyOf } from '@skerry/kube/controller';

/** After this long the cache is believed whatever it shows: what is missing was lost in some other way. */
const EXPECTATION_TIMEOUT_MS = 5 * 60_000;

/** An owner whose cache did not show its writes is looked at again after this long, should no event wake it before. */
export const STALE_CACHE_RECHECK_MS = 30_000;

interface Outstanding {
  readonly since: number;
  /** The versions that creations were answered with. */
  readonly created: string[];
  readonly deleted: { readonly key: string; readonly uid: string | undefined }[];
}

export class Expectations {
  readonly #informer: Informer;
  readonly #clock: Clock;
  readonly #outstanding = new Map<string, Outstanding>();

  constructor(informer: Informer, clock: Clock) {
    this.#informer = informer;
    this.#clock = clock;
  }

  created(owner: string, { metadata }: KubeObject): void {
    this.#of(owner).created.push(metadata.resourceVersion ?? '0');
  }

  deleted(owner: string, object: KubeObject): void {
    this.#of(owner).deleted.push({ key: keyOf(object), uid: object.metadata.uid });
  }

  areMet(owner: string): boolean {
    const outstanding = this.#outstanding.get(owner);
    if (outstanding === undefined) return true;
    const isTooOld = this.#clock.monotonic() - outstanding.since > EXPECTATION_TIMEOUT_MS;
    if (!isTooOld && !this.#isShown(outstanding)) return false;
    this.#outstanding.delete(owner);
    return true;
  }

  forget(owner: string): void {
    this.#outstanding.delete(owner);
  }

  #isShown({ created, deleted }: Outstanding): boolean {
    return created.every((version) => this.#informer.hasReached(version)) && deleted.every((one) => this.#isGone(one));
  }

  #isGone({ key, uid }: Outstanding['deleted'][number]): boolean {
    const object = this.#informer.cache.get(key);
    return object === undefined || object.metadata.uid !== uid || object.metadata.deletionTimestamp !== undefined;
  }

  #of(owner: string): Outstanding {
    const known = this.#outstanding.get(owner);
    if (known !== undefined) return known;
    const fresh: Outstanding = { since: this.#clock.monotonic(), created: [], deleted: [] };
    this.#outstanding.set(owner, fresh);
    return fresh;
  }
}
