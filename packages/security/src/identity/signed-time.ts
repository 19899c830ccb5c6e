/** The cloud's time, signed with its CA: for a node whose clock is wrong, and the challenge that a renewal answers. */
import { type KeyObject, sign, verify } from 'node:crypto';
import { type Certificate, publicKeyOf } from '../pki/index.ts';

export interface SignedTime {
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** What the asker sent, so that an old answer cannot be played to it. */
  readonly nonce: string;
  readonly signature: string;
}

/** How long a signed time may be used as a challenge. */
export const SIGNED_TIME_LIFE_MS = 5 * 60 * 1000;

const DOMAIN = 'skerry signed time 1';
const NONCE = /^[A-Za-z0-9_-]{16,64}$/;

export function isNonce(text: string): boolean {
  return NONCE.test(text);
}

export function signTime(key: KeyObject, nonce: string, now: number): SignedTime {
  const time = new Date(now).toISOString();
  return { time, nonce, signature: sign('sha256', signedBytes(time, nonce), key).toString('base64url') };
}

/** Milliseconds since the epoch if the authority signed it; nothing otherwise. */
export function readSignedTime(signed: SignedTime, authority: Certificate): number | undefined {
  if (!isNonce(signed.nonce)) return undefined;
  const signature = Buffer.from(signed.signature, 'base64url');
  const isGood = verify('sha256', signedBytes(signed.time, signed.nonce), publicKeyOf(authority), signature);
  const time = Date.parse(signed.time);
  return isGood && !Number.isNaN(time) ? time : undefined;
}

export function isSignedTime(value: unknown): value is SignedTime {
  if (typeof value !== 'object' || value === null) return false;
  const { time, nonce, signature } = value as Record<string, unknown>;
  return typeof time === 'string' && typeof nonce === 'string' && typeof signature === 'string';
}

function signedBytes(time: string, nonce: string): Uint8Array {
  return Buffer.from(`${DOMAIN}\n${time}\n${nonce}`, 'utf8');
}
