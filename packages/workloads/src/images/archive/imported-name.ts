/** Under what name an image of another registry lies in the cloud's, when it was brought there by hand. */

import type { ImageReference } from '../contract.ts';
import { repositoryName } from '../reference.ts';

const PREFIX = 'imported';

/** `docker.io/library/web` is `imported/docker.io/library/web`; a port keeps its number behind a dash. */
export function importedName(image: ImageReference): string {
  const [host = '', ...path] = repositoryName(image).split('/');
  return [
    PREFIX,
    host
      .toLowerCase()
      .replace(/[^a-z0-9.]+/g, '-')
      .replace(/^-+|-+$/g, ''),
    ...path,
  ].join('/');
}
