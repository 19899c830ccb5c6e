/** Signs heads with a private key; checks them with the public half alone. */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { HeadSigner } from './chain.ts';

export function keySigner(key: KeyObject): HeadSigner {
  return { sign: (bytes) => sign('sha256', bytes, key), ...keyVerifier(createPublicKey(key)) };
}

export function keyVerifier(publicKey: KeyObject): Pick<HeadSigner, 'verify'> {
  return { verify: (bytes, signature) => verify('sha256', bytes, publicKey, signature) };
}
