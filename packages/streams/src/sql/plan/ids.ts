/** Ids of operators: what an operator does, and what is before it. */
import { createHash } from 'node:crypto';

const LENGTH = 12;

export function idOf(kind: string, ...parts: readonly unknown[]): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([kind, ...parts]))
    .digest('hex');
  return `${kind}-${digest.slice(0, LENGTH)}`;
}
