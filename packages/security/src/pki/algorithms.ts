/** The signature algorithms we accept in certificates and requests, and the keys they go with. SHA-1 and MD5 are not among them. */
import { type KeyObject, verify } from 'node:crypto';
import * as der from './der.ts';

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';

/** Null stands for the digest that is part of the algorithm itself, as in Ed25519. */
const DIGESTS: ReadonlyMap<string, { readonly key: string; readonly digest: string | null }> = new Map([
  [ECDSA_SHA256, { key: 'ec', digest: 'sha256' }],
  ['1.2.840.10045.4.3.3', { key: 'ec', digest: 'sha384' }],
  ['1.2.840.10045.4.3.4', { key: 'ec', digest: 'sha512' }],
  ['1.2.840.113549.1.1.11', { key: 'rsa', digest: 'sha256' }],
  ['1.2.840.113549.1.1.12', { key: 'rsa', digest: 'sha384' }],
  ['1.2.840.113549.1.1.13', { key: 'rsa', digest: 'sha512' }],
  ['1.3.101.112', { key: 'ed25519', digest: null }],
]);

const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const MIN_RSA_BITS = 2048;
// Above this, one verification costs milliseconds: an attacker's choice must not buy our time.
const MAX_RSA_BITS = 4096;

/** True when `signature` over `data` was made by the holder of `key` with an algorithm we accept. */
export function verifySignature(algorithm: string, key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  const known = DIGESTS.get(algorithm);
  if (!known || known.key !== key.asymmetricKeyType) return false;
  return verify(known.digest, data, key, signature);
}

/** True for keys we certify: NIST curves, Ed25519, and RSA of 2048 to 4096 bits. */
export function isAcceptableKey(key: KeyObject): boolean {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      return CURVES.has(namedCurve ?? '');
    case 'ed25519':
      return true;
    case 'rsa':
      return (modulusLength ?? 0) >= MIN_RSA_BITS && (modulusLength ?? 0) <= MAX_RSA_BITS;
    default:
      return false;
  }
}

export const ecdsaSha256Identifier = (): Uint8Array => der.sequence(der.oid(ECDSA_SHA256));
