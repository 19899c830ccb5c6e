/** Brings a pod's status to the API: one write at a time, the newest state only, again until it is there. */
import { isStatus, type Ref } from '@skerry/api';
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { compareResourceVersions } from '@skerry/kube/controller';
import { isStaticPod } from './static-pod.ts';
import { statusPatch } from './status-patch.ts';
import type { Pod, PodStatus } from './types.ts';

const RETRY: BackoffPolicy = { baseMs: 200, capMs: 15_000 };

export class StatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ref: Ref;
  /** Undefined for a static pod: then whatever mirror of it the API shows is written to. */
  readonly #uid: string | undefined;
  readonly #stopped = new AbortController();
  #known: Pod | undefined;
  #wanted: PodStatus | undefined;
  /** The last patch, until the API shows what it asked for; sent again it would change nothing either. */
  #lastPatch: string | undefined;
  #writing: Promise<void> | undefined;
  /** The uid of a pod that the API does not have, until it shows it. */
  #missing: string | undefined;

  constructor({ client, clock, log }: { client: Client; clock: Clock; log: Logger }, ref: Ref, pod: Pod) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
    this.#ref = ref;
    const isStatic = isStaticPod(pod);
    this.#uid = isStatic ? undefined : (pod.metadata.uid ?? '');
    this.#known = isStatic ? undefined : pod;
  }

  /** What the API shows now. Older than what a write has answered is ignored. */
  observe(pod: Pod): void {
    this.#note(pod);
    this.#missing = undefined;
    this.#start();
  }

  /** A mirror may be another one than before. */
  #note(pod: Pod): void {
    const isAnother = this.#known === undefined || pod.metadata.uid !== this.#known.metadata.uid;
    if (isAnother || isNewer(pod, this.#known)) this.#known = pod;
  }

  want(status: PodStatus): void {
    this.#wanted = status;
    this.#start();
  }

  /** Resolves when what is wanted is written, or cannot be. */
  async settle(): Promise<void> {
    await this.#writing;
  }

  stop(): void {
    this.#stopped.abort();
  }

  #start(): void {
    if (this.#writing !== undefined || this.#stopped.signal.aborted || this.#nextPatch() === undefined) return;
    this.#writing = this.#writeAll()
      .catch(() => {})
      .finally(() => {
        this.#writing = undefined;
        // Another mirror may have come while the last write failed.
        this.#start();
      });
  }

  #nextPatch(): object | undefined {
    if (this.#wanted === undefined || this.#known === undefined) return undefined;
    if (this.#missing !== undefined && this.#missing === this.#known.metadata.uid) return undefined;
    const patch = statusPatch(this.#known.status, this.#wanted, this.#uid ?? this.#known.metadata.uid ?? '');
    if (patch === undefined) this.#lastPatch = undefined;
    return patch !== undefined && JSON.stringify(patch) !== this.#lastPatch ? patch : undefined;
  }

  async #writeAll(): Promise<void> {
    let attempt = 0;
    for (
      let patch = this.#nextPatch();
      patch !== undefined && !this.#stopped.signal.aborted;
      patch = this.#nextPatch()
    ) {
      const about = this.#known?.metadata.uid;
      try {
        const answer = await this.#client.patch<Pod>(this.#ref, patch, { type: 'strategic', subresource: 'status' });
        this.#lastPatch = JSON.stringify(patch);
        if (this.#known?.metadata.uid === about) this.#note(answer);
        attempt = 0;
      } catch (error) {
        // The pod is gone, or another one has its name: nobody waits for this status any more.
        if (isStatus(error, 'NotFound', 'Conflict')) {
          this.#missing = about;
          return;
        }
        this.#log.debug({ attempt, error: messageOf(error) }, 'pod status not written');
        await this.#clock.sleep(backoffDelay(RETRY, attempt++) + RETRY.baseMs, this.#stopped.signal);
      }
    }
  }
}

function isNewer(pod: Pod, than: Pod | undefined): boolean {
  const [mine, theirs] = [pod.metadata.resourceVersion, than?.metadata.resourceVersion];
  return mine === undefined || theirs === undefined || (compareResourceVersions(mine, theirs) ?? 0) >= 0;
}
