/** Images as the container runtime has and pulls them. */
import { type Clock, messageOf } from '@skerry/base';
import { authFor } from '../pod/registry-auth.ts';
import { type ListedImage, PullFailure, type PullTask, type ReadyImage } from '../runtime.ts';
import type { CriClient, Image } from './client.ts';

/** A pull is bound by the network; a link that is slow but alive gets its time. */
const PULL_TIMEOUT_MS = 3_600_000;
const NOTICE_PATIENCE_MS = 30_000;
const NOTICE_LOOK_MS = 50;

export async function findImage(cri: CriClient, name: string): Promise<ReadyImage | undefined> {
  const { image } = await cri.call('ImageStatus', { image: { image: name } });
  return image === undefined ? undefined : readyImage(image);
}

export async function listImages(cri: CriClient): Promise<readonly ListedImage[]> {
  const { images } = await cri.call('ListImages', {});
  return images.map(({ digests, tags, size }) => ({ names: [...digests, ...tags], sizeBytes: size }));
}

/** The runtime pulls by itself, and tells nothing of it until it is through. Throws PullFailure. */
export async function pullImage(
  cri: CriClient,
  { image, pod, read, signal }: Pick<PullTask, 'image' | 'pod' | 'read' | 'signal'>,
): Promise<ReadyImage> {
  try {
    const auth = await authFor(image, pod, read);
    const request = { image: { image }, ...(auth === undefined ? {} : { auth }) };
    await cri.call('PullImage', request, { timeoutMs: PULL_TIMEOUT_MS, signal });
  } catch (error) {
    throw new PullFailure(messageOf(error), { cause: error, isUnreachable: isUnreachable(messageOf(error)) });
  }
  const pulled = await findImage(cri, image);
  if (pulled !== undefined) return pulled;
  throw new PullFailure(`image "${image}" was pulled and is not there`);
}

/** CRI hears of a new image a moment after it is there; `id` is what the name has to lead to. Throws PullFailure. */
export async function awaitImage(
  cri: CriClient,
  clock: Clock,
  { image, signal }: Pick<PullTask, 'image' | 'signal'>,
  id: string | undefined,
): Promise<ReadyImage> {
  const deadline = clock.monotonic() + NOTICE_PATIENCE_MS;
  for (;;) {
    const found = await findImage(cri, image);
    if (found !== undefined && (id === undefined || found.imageRef === id)) return found;
    if (clock.monotonic() >= deadline)
      throw new PullFailure(`image "${image}" is there, and the runtime does not see it`);
    await clock.sleep(NOTICE_LOOK_MS, signal);
  }
}

/** Runtimes say it in words only: a registry that answered has refused the image, or does not know it. */
function isUnreachable(message: string): boolean {
  return !/not found|denied|unauthorized|authorization failed|forbidden|unexpected status/i.test(message);
}

function readyImage(image: Image): ReadyImage {
  return { imageId: imageIdOf(image), imageRef: image.id, sizeBytes: image.size };
}

/** The digest is the best name of what runs. */
function imageIdOf({ id, digests }: Image): string {
  return digests[0] ?? id;
}
