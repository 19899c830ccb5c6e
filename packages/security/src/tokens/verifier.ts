/** Verifies service account tokens with public keys only, so that an edge does it too while it is cut off. */
import type { KeyObject } from 'node:crypto';
import type { UserInfo } from '@skerry/api';
import { type Clock, messageOf } from '@skerry/base';
import { errors } from '../errors.ts';
import { fromPayload, type ServiceAccountClaims, userOf } from './claims.ts';
import { DEFAULT_ISSUER } from './issuer.ts';
import { hasSignatureOf, keyIdOf, parseJws } from './jws.ts';

export interface VerifiedToken {
  readonly user: UserInfo;
  readonly claims: ServiceAccountClaims;
  /** Those of the wanted audiences that the token is for. */
  readonly audiences: readonly string[];
}

export interface TokenVerifier {
  /** Throws JWT_REFUSED with the reason. `audiences` are alternatives; by default the API server's. */
  verify(token: string, audiences?: readonly string[]): VerifiedToken;
}

export interface TokenVerifierOptions {
  /** Read at each use, so that replicated keys may change; by key id. */
  readonly keys: () => ReadonlyMap<string, KeyObject>;
  readonly clock: Clock;
  readonly issuer?: string;
  readonly apiAudiences?: readonly string[];
  /** Whether the service account and the bound object still exist with these uids. Called on every use. */
  readonly isLive?: (claims: ServiceAccountClaims) => boolean;
}

/** How far the issuer's clock may be ahead of ours. */
const CLOCK_SKEW_SECONDS = 60;
/** Signatures of this many tokens are remembered as good: a check costs 60 µs, a look-up one. */
const REMEMBERED_TOKENS = 1024;

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { clock, issuer = DEFAULT_ISSUER, isLive = () => true } = options;
  const apiAudiences = options.apiAudiences ?? [issuer];
  const remembered = new Map<
    string,
    { readonly claims: ServiceAccountClaims; readonly key: KeyObject; readonly kid: string }
  >();

  const claimsOf = (token: string): ServiceAccountClaims => {
    const keys = options.keys();
    const known = remembered.get(token);
    // A key that was withdrawn takes its remembered tokens with it.
    if (known && keys.get(known.kid) === known.key) return known.claims;
    const { claims, key, kid } = checkSignature(token, keys);
    if (remembered.size >= REMEMBERED_TOKENS) remembered.delete(remembered.keys().next().value ?? '');
    remembered.set(token, { claims, key, kid });
    return claims;
  };

  return {
    verify: (token, wanted = apiAudiences) => {
      const claims = claimsOf(token);
      if (claims.issuer !== issuer) throw refused('it has another issuer');
      checkDates(claims, Math.floor(clock.now() / 1000));
      const audiences = wanted.filter((audience) => claims.audiences.includes(audience));
      if (audiences.length === 0) throw refused('it is for another audience');
      if (!isLive(claims)) throw refused('its service account or bound object is gone');
      return { user: userOf(claims), claims, audiences };
    },
  };
}

/** Public keys by their id, as a verifier takes them. */
export type TokenReview =
  | { readonly authenticated: true; readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly authenticated: false; readonly error: string };

/** The answer of a TokenReview: a refusal is an answer too. Without audiences, the API server's count. */
export function reviewToken(verifier: TokenVerifier, token: string, audiences: readonly string[]): TokenReview {
  try {
    const verified = verifier.verify(token, audiences.length === 0 ? undefined : audiences);
    return { authenticated: true, user: verified.user, audiences: verified.audiences };
  } catch (error) {
    return { authenticated: false, error: messageOf(error) };
  }
}

export function keysById(keys: Iterable<KeyObject>): ReadonlyMap<string, KeyObject> {
  return new Map(Array.from(keys, (key) => [keyIdOf(key), key]));
}

function checkSignature(token: string, keys: ReadonlyMap<string, KeyObject>) {
  const jws = parseJws(token);
  const { kid } = jws.header;
  const key = keys.get(kid);
  if (!key) throw refused('its key is not known');
  if (!hasSignatureOf(jws, key)) throw refused('its signature is wrong');
  const claims = fromPayload(jws.claims);
  if (!claims) throw refused('its claims are incomplete');
  return { claims, key, kid };
}

function checkDates(claims: ServiceAccountClaims, now: number): void {
  if (now >= claims.expiresAt) throw refused('it has expired');
  if (now < claims.notBefore - CLOCK_SKEW_SECONDS) throw refused('it is not valid yet');
}

function refused(reason: string): Error {
  return errors.JWT_REFUSED({ reason });
}
