/** Under what name an image of another registry lies in the cloud's, when it was brought there by hand. */

import type { ImageReference } from '../contract.ts';

const PREFIX = 'imported';

/** `docker.io/library/web` is `imported/docker.io/library/web`; a port follows two underscores, which no host's name has. */
export function importedName({ registry, repository }: ImageReference): string {
  const [, host = '', port] = /^(.*?)(?::(\d+))?$/.exec(registry) ?? [];
  return `${PREFIX}/${partOf(host)}${port === undefined ? '' : `__${port}`}/${repository}`;
}

/** Names and addresses as they are; `[::1]` is `v6_x_x_1`. */
function partOf(host: string): string {
  if (!host.startsWith('[')) return host;
  const groups = host.slice(1, -1).split(':');
  return `v6_${groups.map((group) => group || 'x').join('_')}`;
}
