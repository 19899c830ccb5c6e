/** Compact JSON Web Signatures with ES256 (RFC 7515, RFC 7518): only what service account tokens need. */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from 'node:crypto';
import { errors } from '../errors.ts';

interface JwsHeader {
  readonly alg: string;
  readonly kid: string;
}

export interface Jws {
  readonly header: JwsHeader;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Longer tokens are refused unread. */
const MAX_JWS_BYTES = 8 * 1024;

const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** Names a public key: the SHA-256 of its SubjectPublicKeyInfo, as Kubernetes does. */
export function keyIdOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64url');
}

export function signJws(key: KeyObject, kid: string, claims: object): string {
  const head = encodeJson({ alg: 'ES256', kid });
  const input = `${head}.${encodeJson(claims)}`;
  const signature = sign('sha256', Buffer.from(input, 'latin1'), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

/** Splits and decodes; nothing in the result may be believed before `hasSignatureOf`. */
export function parseJws(token: string): Jws {
  if (token.length > MAX_JWS_BYTES) throw refused('too long');
  const parts = token.split('.');
  const [head = '', body = '', signature = ''] = parts;
  if (parts.length !== 3 || !parts.every((part) => BASE64URL.test(part))) throw refused('not three base64url parts');
  const { alg, kid } = decodeJson(head);
  // The algorithm is ours to choose: `none` and keyed hashes never reach the verifier.
  if (alg !== 'ES256' || typeof kid !== 'string') throw refused('algorithm is not ES256');
  return {
    header: { alg, kid },
    claims: decodeJson(body),
    signed: Buffer.from(`${head}.${body}`, 'latin1'),
    signature: Buffer.from(signature, 'base64url'),
  };
}

export function hasSignatureOf(jws: Jws, key: KeyObject): boolean {
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return isP256 && verify('sha256', jws.signed, { key, dsaEncoding: 'ieee-p1363' }, jws.signature);
}

export interface Jwk extends JsonWebKey {
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'ES256';
}

export function publicJwk(key: KeyObject): Jwk {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return { ...publicKey.export({ format: 'jwk' }), kid: keyIdOf(publicKey), use: 'sig', alg: 'ES256' };
}

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}

function decodeJson(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw errors.JWT_REFUSED({ reason: 'a part is not JSON' }, { cause });
  }
  throw refused('a part is not an object');
}

function refused(reason: string): Error {
  return errors.JWT_REFUSED({ reason });
}
