/** Follows the ImagePullTasks of this node and works on them. Which node pulls when is the cloud's to say. */
import { isStatus } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import { keyOf, runController, startInformer, watching } from '@skerry/kube/controller';
import { IMAGE_PULL_TASKS, type ImagePullTask, type PullState } from '../../image-kinds/index.ts';
import { Turnstile } from '../../images/turnstile.ts';
import type { ConfigObject, ConfigReader } from '../pod/environment.ts';
import type { RuntimeSet } from '../runtime-set.ts';
import { runTask } from './run-task.ts';
import { TaskBoard } from './task-board.ts';

export interface ImagePullerOptions {
  /** Of the nearest API. */
  readonly client: Client;
  readonly nodeName: string;
  readonly runtimes: RuntimeSet;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: Recorder;
}

export interface ImagePuller {
  /** Works until `signal` aborts; what has come is kept for the next time. */
  run(signal: AbortSignal): Promise<void>;
}

/** Tasks that are worked on at once; their images come one after the other. */
const MAX_TASKS = 2;

const SECRETS = { group: '', version: 'v1', resource: 'secrets' };

export function createImagePuller(options: ImagePullerOptions): ImagePuller {
  return { run: (signal) => new Puller(options, signal).run() };
}

interface Running {
  readonly generation: number | undefined;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

class Puller {
  readonly #options: ImagePullerOptions;
  readonly #signal: AbortSignal;
  readonly #running = new Map<string, Running>();
  readonly #turnstile = new Turnstile(MAX_TASKS);

  constructor(options: ImagePullerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { client, clock, log, nodeName } = this.#options;
    const context = { client, clock, log, signal: this.#signal };
    const tasks = startInformer<ImagePullTask>(context, {
      gvr: IMAGE_PULL_TASKS,
      fieldSelector: `spec.nodeName=${nodeName}`,
    });
    const spec = {
      name: 'image-pulls',
      watches: [watching(tasks, ({ object }) => [keyOf(object)])],
      reconcile: async (key: string) => {
        await this.#reconcile(key, tasks.cache.get(key));
        return undefined;
      },
    };
    await runController(spec, context);
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  async #reconcile(key: string, task: ImagePullTask | undefined): Promise<void> {
    const running = this.#running.get(key);
    const isWanted = task !== undefined && task.metadata.deletionTimestamp === undefined;
    if (isWanted && running?.generation === task.metadata.generation) return;
    running?.abort.abort();
    await running?.ended;
    if (isWanted && !hasEnded(task)) await this.#begin(key, task);
  }

  async #begin(key: string, task: ImagePullTask): Promise<void> {
    const { client, clock, log } = this.#options;
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#signal]);
    const board = new TaskBoard({ client, clock, log, signal }, task);
    if (task.spec.cancelled === true) {
      await board.tell(...task.spec.images.map((image) => givenUp(task, image)));
      return;
    }
    const ended = this.#work(task, board, signal).finally(() => this.#running.delete(key));
    this.#running.set(key, { generation: task.metadata.generation, abort, ended });
  }

  async #work(task: ImagePullTask, board: TaskBoard, signal: AbortSignal): Promise<void> {
    const { runtimes, recorder, clock, log } = this.#options;
    const read = this.#readerFor(task.metadata.namespace ?? '');
    const runtime = () => runtimes.serving[0];
    try {
      await this.#turnstile.pass(signal, () => runTask({ task, board, runtime, read, recorder, clock, signal }));
    } catch (error) {
      if (!signal.aborted) log.error({ task: task.metadata.name, error: messageOf(error) }, 'image pull failed');
    }
  }

  #readerFor(namespace: string): ConfigReader {
    return async (_kind, name) => {
      try {
        return await this.#options.client.get<ConfigObject>({ gvr: SECRETS, namespace, name });
      } catch (error) {
        if (isStatus(error, 'NotFound')) return undefined;
        throw error;
      }
    };
  }
}

function givenUp({ status }: ImagePullTask, image: string): PullState {
  const known = status?.images?.find((state) => state.image === image);
  if (known?.phase === 'Pulled') return known;
  const message = 'the image pull was given up before this node was done';
  return { ...known, image, phase: 'Failed', reason: 'Cancelled', message };
}

/** The node has said its last word on this very spec. */
function hasEnded({ metadata, status }: ImagePullTask): boolean {
  const isNews = status?.observedGeneration !== metadata.generation;
  return !isNews && (status?.phase === 'Pulled' || status?.phase === 'Failed');
}
