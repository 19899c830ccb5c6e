/** Where a task stands, told to the nearest API: at once when an image begins or ends, now and then while it comes. */
import { isStatus } from '@skerry/api';
import { type BackoffPolicy, backoffDelay, type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import {
  IMAGE_PULL_TASKS,
  type ImagePullTask,
  type ImagePullTaskStatus,
  type PullState,
} from '../../image-kinds/index.ts';
import { taskStatus } from './task-status.ts';

/** Over a narrow link every word counts. */
const PROGRESS_MS = 5_000;
const RETRY: BackoffPolicy = { baseMs: 500, capMs: 30_000 };

export interface TaskBoardOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export class TaskBoard {
  readonly #options: TaskBoardOptions;
  readonly #task: ImagePullTask;
  readonly #states: Map<string, PullState>;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #waiting = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: TaskBoardOptions, task: ImagePullTask) {
    this.#options = options;
    this.#task = task;
    this.#states = new Map(task.spec.images.map((image) => [image, { image, phase: 'Pending' }]));
  }

  stateOf(image: string): PullState {
    return this.#states.get(image) ?? { image, phase: 'Pending' };
  }

  get states(): readonly PullState[] {
    return [...this.#states.values()];
  }

  /** Resolves once the node's own API has it. */
  async tell(...states: readonly PullState[]): Promise<void> {
    for (const state of states) this.#states.set(state.image, state);
    await this.#soon();
  }

  progress(state: PullState): void {
    this.#states.set(state.image, state);
    const isDue = this.#options.clock.monotonic() - this.#writtenAt >= PROGRESS_MS;
    if (isDue && this.#waiting === 0) void this.#soon();
  }

  /** One after the other, so that the last one is the last. */
  #soon(): Promise<void> {
    this.#waiting += 1;
    this.#writing = this.#writing.then(() => this.#write()).finally(() => (this.#waiting -= 1));
    return this.#writing;
  }

  /** Tries again until it is written, or nobody wants it any more. Never throws. */
  async #write(): Promise<void> {
    const { clock, log, signal } = this.#options;
    this.#writtenAt = clock.monotonic();
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.#patch(taskStatus(this.#task.metadata.generation ?? 0, this.states));
        return;
      } catch (error) {
        if (isStatus(error, 'NotFound')) return;
        log.warn({ task: this.#task.metadata.name, error: messageOf(error) }, 'state of an image pull not written');
        await clock.sleep(backoffDelay(RETRY, failures), signal).catch(() => {});
      }
    }
  }

  async #patch(status: ImagePullTaskStatus): Promise<void> {
    const { namespace = '', name = '', uid } = this.#task.metadata;
    const ref = { gvr: IMAGE_PULL_TASKS, namespace, name };
    const patch = { metadata: { uid }, status: { reason: null, ...status } };
    await this.#options.client.patch(ref, patch, { type: 'merge', subresource: 'status' });
  }
}
