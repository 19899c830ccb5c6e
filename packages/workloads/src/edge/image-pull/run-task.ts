/** Brings the images of one task, one after the other, and tells how it goes. */
import { type BackoffPolicy, backoffDelay, type Clock, messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import type { ImagePullTask, PullState } from '../../image-kinds/index.ts';
import type { PullProgress } from '../../images/index.ts';
import type { ConfigReader } from '../pod/environment.ts';
import type { Pod } from '../pod/types.ts';
import { type PodRuntime, PullFailure, type ReadyImage } from '../runtime.ts';
import type { TaskBoard } from './task-board.ts';

/** A link that is away for a day costs no more than this many words an hour. */
const RETRY: BackoffPolicy = { baseMs: 2_000, capMs: 300_000 };

export interface TaskRun {
  readonly task: ImagePullTask;
  readonly board: TaskBoard;
  /** Where pods without a runtime class run. */
  readonly runtime: () => PodRuntime;
  readonly read: ConfigReader;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Throws only when the signal aborts. */
export async function runTask(run: TaskRun): Promise<void> {
  for (const image of run.task.spec.images) await pullOne(run, image);
}

async function pullOne(run: TaskRun, image: string): Promise<void> {
  const { board, clock, recorder, signal, task } = run;
  await board.tell({ image, phase: 'Pulling' });
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    try {
      await board.tell(stateOf(board.stateOf(image), await pull(run, image)));
      return;
    } catch (error) {
      signal.throwIfAborted();
      const message = messageOf(error);
      if (!(error instanceof PullFailure) || !error.isUnreachable) {
        recorder.event(task, 'Warning', 'Failed', `Failed to pull image "${image}": ${message}`);
        await board.tell({ image, phase: 'Failed', reason: 'ErrImagePull', message });
        return;
      }
      const present = await run.runtime().findImage(image);
      if (present !== undefined) {
        // As for pods: what is there counts while nobody can be asked for a newer one.
        await board.tell({ ...stateOf(board.stateOf(image), present), reason: 'NotRefreshed', message });
        return;
      }
      await board.tell({ ...board.stateOf(image), reason: 'Unreachable', message });
      await clock.sleep(backoffDelay(RETRY, failures), signal);
    }
  }
}

function pull({ task, board, runtime, read, signal }: TaskRun, image: string): Promise<ReadyImage> {
  const onProgress = ({ totalBytes, presentBytes, setback }: PullProgress): void =>
    board.progress({
      image,
      phase: 'Pulling',
      totalBytes,
      presentBytes,
      ...(setback === undefined ? {} : { reason: 'Interrupted', message: setback }),
    });
  return runtime().pullImage({ image, pod: podFor(task), read, signal, onProgress });
}

function stateOf({ image, totalBytes }: PullState, { imageId, sizeBytes = totalBytes }: ReadyImage): PullState {
  const digest = /sha256:[0-9a-f]{64}/.exec(imageId)?.[0];
  return {
    image,
    phase: 'Pulled',
    ...(digest === undefined ? {} : { digest }),
    ...(sizeBytes === undefined ? {} : { totalBytes: sizeBytes, presentBytes: sizeBytes }),
  };
}

/** Runtimes pull for pods; this one has nothing but its secrets. */
function podFor({ metadata, spec }: ImagePullTask): Pod {
  const { namespace, name, uid } = metadata;
  const { imagePullSecrets } = spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(namespace === undefined ? {} : { namespace }),
      ...(name === undefined ? {} : { name }),
      ...(uid === undefined ? {} : { uid }),
    },
    spec: { containers: [], ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }) },
  };
}
