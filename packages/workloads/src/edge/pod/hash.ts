/** What of a container's spec calls for a restart when it changes: the image, as only that may change in place. */
import { createHash } from 'node:crypto';
import type { Container } from './types.ts';

export function hashOf({ name, image = '' }: Container): string {
  return createHash('sha256').update(`${name}\0${image}`).digest('hex').slice(0, 16);
}
