/** Images: present or pulled, as the pull policy says, with the pod's credentials. */
import { messageOf } from '@skerry/base';
import type { ConfigReader } from '../pod/environment.ts';
import type { Container, Pod } from '../pod/types.ts';
import { RuntimeRefusal } from '../runtime.ts';
import type { CriClient, Image } from './client.ts';
import { authFor } from './registry-auth.ts';

/** A pull is bound by the network; a link that is slow but alive gets its time. */
const PULL_TIMEOUT_MS = 3_600_000;

export interface ImageRequest {
  readonly pod: Pod;
  readonly container: Container;
  readonly read: ConfigReader;
}

export interface FoundImage {
  readonly image: Image;
  /** It is not known whether the registry has a newer one of the name. */
  readonly warning?: string;
}

/** Throws RuntimeRefusal. */
export async function ensureImage(cri: CriClient, request: ImageRequest): Promise<FoundImage> {
  const { image: name = '', imagePullPolicy } = request.container;
  const present = await findImage(cri, name);
  const isWanted = imagePullPolicy === 'Always' || (imagePullPolicy === undefined && isLatest(name));
  if (present !== undefined && !isWanted) return { image: present };
  if (imagePullPolicy === 'Never') {
    const message = `Container image "${name}" is not present with pull policy of Never`;
    throw new RuntimeRefusal('ErrImageNeverPull', message, { isImage: true });
  }
  try {
    await pull(cri, name, request);
  } catch (error) {
    // What is here runs, also where no registry can be reached.
    if (present === undefined)
      throw new RuntimeRefusal('ErrImagePull', messageOf(error), { isImage: true, cause: error });
    const warning = `image "${name}" could not be pulled anew, the one that is present is used: ${messageOf(error)}`;
    return { image: present, warning };
  }
  const pulled = await findImage(cri, name);
  if (pulled !== undefined) return { image: pulled };
  throw new RuntimeRefusal('ErrImagePull', `image "${name}" was pulled and is not there`, { isImage: true });
}

async function findImage(cri: CriClient, image: string): Promise<Image | undefined> {
  if (image === '') throw new RuntimeRefusal('InvalidImageName', 'the container names no image', { isImage: true });
  return (await cri.call('ImageStatus', { image: { image } })).image;
}

async function pull(cri: CriClient, image: string, { pod, read }: ImageRequest): Promise<void> {
  const auth = await authFor(image, pod, read);
  const request = { image: { image }, ...(auth === undefined ? {} : { auth }) };
  await cri.call('PullImage', request, { timeoutMs: PULL_TIMEOUT_MS });
}

/** The digest is the best name of what runs. */
export function imageIdOf({ id, digests }: Image): string {
  return digests[0] ?? id;
}

function isLatest(name: string): boolean {
  if (name.includes('@')) return false;
  const last = name.slice(name.lastIndexOf('/') + 1);
  return !last.includes(':') || last.endsWith(':latest');
}
