/** Makes a container's image present as its pull policy says, and tells the pod's owner what comes of it in a kubelet's words. */
import { type Clock, messageOf } from '@skerry/base';
import type { PullProgress } from '../../images/contract.ts';
import { parseReference } from '../../images/reference.ts';
import { type PodRuntime, PullFailure, type PullTask, type ReadyImage, RuntimeRefusal } from '../runtime.ts';
import type { Container } from './types.ts';
import { untilAborted } from './until-aborted.ts';

/** A long pull is told of first after this time, then at twice the time, and so on. */
const FIRST_PROGRESS_MS = 20_000;

export interface ImageNeed extends Pick<PullTask, 'pod' | 'read' | 'signal'> {
  readonly runtime: PodRuntime;
  readonly clock: Clock;
  readonly container: Container;
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

/** Throws ImageProblem. */
export async function ensureImage(need: ImageNeed): Promise<ReadyImage> {
  const { container, event } = need;
  const { image = '' } = container;
  const present = await findImage(need, image);
  const policy = policyOf(container);
  if (present !== undefined && (policy !== 'Always' || present.sizeBytes === undefined)) {
    if (present.sizeBytes !== undefined) {
      event('Normal', 'Pulled', `Container image "${image}" already present on machine`);
    }
    return present;
  }
  if (policy === 'Never') {
    const message = `Container image "${image}" is not present with pull policy of Never`;
    event('Warning', 'ErrImageNeverPull', message);
    throw new ImageProblem('ErrImageNeverPull', message);
  }
  return pullImage(need, image, present);
}

/** Why a container waits for its image. Its events have been told already. */
export class ImageProblem extends RuntimeRefusal {}

async function findImage({ runtime, event }: ImageNeed, image: string): Promise<ReadyImage | undefined> {
  try {
    parseReference(image);
  } catch (error) {
    const message = `Failed to apply default image tag "${image}": ${messageOf(error)}`;
    event('Warning', 'InspectFailed', message);
    throw new ImageProblem('InvalidImageName', message, { cause: error });
  }
  try {
    return await runtime.findImage(image);
  } catch (error) {
    if (error instanceof RuntimeRefusal) throw refused(event, image, error);
    const message = `Failed to inspect image "${image}": ${messageOf(error)}`;
    event('Warning', 'InspectFailed', message);
    throw new ImageProblem('ImageInspectError', message, { cause: error });
  }
}

async function pullImage(need: ImageNeed, image: string, present: ReadyImage | undefined): Promise<ReadyImage> {
  const { runtime, clock, pod, read, signal, event } = need;
  event('Normal', 'Pulling', `Pulling image "${image}"`);
  const begun = clock.monotonic();
  const onProgress = progressTeller(need, image, begun);
  try {
    const pulled = await untilAborted(runtime.pullImage({ image, pod, read, signal, onProgress }), signal);
    const took = goDuration(clock.monotonic() - begun);
    const size = pulled.sizeBytes ?? 0;
    event(
      'Normal',
      'Pulled',
      `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: ${size} bytes.`,
    );
    return pulled;
  } catch (error) {
    // What is here runs, also where nobody can be asked for a newer one.
    if (present === undefined || !(error instanceof PullFailure && error.isUnreachable)) {
      throw refused(event, image, error);
    }
    const message = `image "${image}" could not be pulled anew, the one that is present is used: ${messageOf(error)}`;
    event('Warning', 'ImageNotRefreshed', message);
    return present;
  }
}

function refused(event: ImageNeed['event'], image: string, cause: unknown): ImageProblem {
  const message = messageOf(cause);
  event('Warning', 'Failed', `Failed to pull image "${image}": ${message}`);
  return new ImageProblem('ErrImagePull', message, { cause });
}

/** Rarer and rarer, and at once when something goes wrong that was not told of before. */
function progressTeller({ clock, event }: ImageNeed, image: string, begun: number): PullTask['onProgress'] {
  let next = FIRST_PROGRESS_MS;
  let lastSetback: string | undefined;
  return ({ setback, ...progress }) => {
    const elapsed = clock.monotonic() - begun;
    const isNew = setback !== undefined && setback !== lastSetback;
    if (elapsed < next && !isNew) return;
    if (elapsed >= next) next = elapsed * 2;
    lastSetback = setback ?? lastSetback;
    const done = `Pulling image "${image}": ${describeProgress(progress)}`;
    if (setback === undefined) event('Normal', 'Pulling', done);
    else event('Warning', 'PullInterrupted', `${done}; goes on after: ${setback}`);
  };
}

function describeProgress({ presentBytes, totalBytes, layersPresent, layers }: PullProgress): string {
  return `${presentBytes} of ${totalBytes} bytes are here, ${layersPresent} of ${layers} layers`;
}

function policyOf({ image = '', imagePullPolicy }: Container): string {
  return imagePullPolicy ?? (isLatest(image) ? 'Always' : 'IfNotPresent');
}

function isLatest(image: string): boolean {
  if (image.includes('@')) return false;
  const last = image.slice(image.lastIndexOf('/') + 1);
  return !last.includes(':') || last.endsWith(':latest');
}

/** As Go prints a duration rounded to milliseconds: `350ms`, `1.2s`, `1m12.35s`. */
function goDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = `${Math.round(ms - minutes * 60_000) / 1000}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
