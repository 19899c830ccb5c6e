/** Gives running containers what their spec says by now, if the node has it. */
import { type Clock, messageOf } from '@skerry/base';
import { parseQuantity } from '../quantity.ts';
import type { PodRuntime } from '../runtime.ts';
import type { Rejection } from './admission.ts';
import type { ContainerEntry } from './container-entry.ts';
import { needsResize, needsRestart } from './resize.ts';
import type { Pod } from './types.ts';
import type { PodResize } from './view.ts';

/** What could not be done is tried again after this: another pod may have made room. */
const RETRY_MS = 10_000;

export interface ResizeScope {
  readonly clock: Clock;
  readonly runtime: () => PodRuntime;
  readonly pod: () => Pod;
  readonly entries: () => readonly ContainerEntry[];
  /** Why the node cannot give the pod what it wants; `isAlone` as if nobody else were here. */
  readonly admit: (pod: Pod, isAlone: boolean) => Promise<Rejection | undefined>;
  readonly restart: (entry: ContainerEntry) => Promise<void>;
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

export class PodResizer {
  readonly #scope: ResizeScope;
  #state: PodResize = { isBusy: false, retryAt: 0 };

  constructor(scope: ResizeScope) {
    this.#scope = scope;
  }

  get state(): PodResize {
    return this.#state;
  }

  /** The spec has changed: what was refused may be possible now, or wanted no more. */
  reconsider(): void {
    if (!this.#state.isBusy) this.#state = { isBusy: false, retryAt: 0 };
  }

  async run(): Promise<void> {
    const { clock, event } = this.#scope;
    this.#state = { ...this.#state, isBusy: true };
    try {
      this.#state = (await this.#refusal()) ?? (await this.#apply());
    } catch (error) {
      const problem = messageOf(error);
      event('Warning', 'ResizeError', problem);
      this.#state = { isBusy: false, problem, retryAt: clock.now() + RETRY_MS };
    }
  }

  async #refusal(): Promise<PodResize | undefined> {
    const { clock, admit, pod, event } = this.#scope;
    const rejection = await admit(pod(), false);
    if (rejection === undefined) return undefined;
    const isHopeless = (await admit(pod(), true)) !== undefined;
    const reason = isHopeless ? 'Infeasible' : 'Deferred';
    event('Warning', `Resize${reason}`, rejection.message);
    const retryAt = isHopeless ? Number.POSITIVE_INFINITY : clock.now() + RETRY_MS;
    return { isBusy: false, pending: { reason, message: rejection.message }, retryAt };
  }

  async #apply(): Promise<PodResize> {
    const { entries, event } = this.#scope;
    for (const entry of entries()) if (needsResize(entry.view())) await this.#resize(entry);
    event('Normal', 'ResizeCompleted', 'Pod resize completed');
    return { isBusy: false, retryAt: 0 };
  }

  async #resize(entry: ContainerEntry): Promise<void> {
    const { runtime, pod, restart } = this.#scope;
    const { container, current, allocated } = entry;
    if (current === undefined || allocated === undefined) return;
    if (needsRestart(container, allocated)) {
      // It gets the rest when it starts.
      entry.allocated = undefined;
      await restart(entry);
      return;
    }
    await this.#refuseShrinking(entry, current.id);
    await runtime().resize(current.id, pod(), container);
    entry.allocated = container.resources ?? {};
  }

  /** A limit below what is in use would end the container. */
  async #refuseShrinking({ container }: ContainerEntry, id: string): Promise<void> {
    const limit = parseQuantity(container.resources?.limits?.['memory'] ?? '');
    if (limit === undefined) return;
    const used = (await this.#scope.runtime().usage()).find((one) => one.id === id)?.workingSetBytes ?? 0;
    if (used <= limit) return;
    throw new Error(`container ${container.name} uses ${used} bytes of memory, more than its new limit of ${limit}`);
  }
}
