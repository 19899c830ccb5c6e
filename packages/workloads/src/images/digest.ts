/** Digests: the names of content. */
import { createHash } from 'node:crypto';
import type { Digest } from './contract.ts';

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Undefined for anything else, other algorithms included. */
export function parseDigest(text: unknown): Digest | undefined {
  return typeof text === 'string' && isDigest(text) ? text : undefined;
}

export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** The hash without the algorithm's name. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}
