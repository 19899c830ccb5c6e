/** Issues service account tokens: the answer to TokenRequest. */
import type { KeyObject } from 'node:crypto';
import { type Clock, newUid } from '@skerry/base';
import { type NameUid, type ServiceAccountClaims, toPayload } from './claims.ts';
import { keyIdOf, signJws } from './jws.ts';

export interface TokenGrant {
  readonly namespace: string;
  readonly serviceAccount: NameUid;
  /** Empty: the API server itself. */
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
  readonly pod?: NameUid;
  readonly secret?: NameUid;
  readonly node?: { readonly name: string; readonly uid?: string };
}

export interface IssuedToken {
  readonly token: string;
  /** RFC 3339 with whole seconds, as TokenRequest's status has it. */
  readonly expirationTimestamp: string;
  readonly claims: ServiceAccountClaims;
}

export interface TokenIssuer {
  issue(grant: TokenGrant): IssuedToken;
}

export interface TokenIssuerOptions {
  readonly key: KeyObject;
  readonly clock: Clock;
  readonly issuer?: string;
  readonly apiAudiences?: readonly string[];
  readonly newId?: () => string;
  /** Names the key in tokens; by default the hash of its public half. */
  readonly keyId?: string;
}

export const DEFAULT_ISSUER = 'https://kubernetes.default.svc.cluster.local';
export const DEFAULT_TOKEN_SECONDS = 3600;
/** TokenRequest's bounds: ten minutes, and as long as a token may live at all. */
export const MIN_TOKEN_SECONDS = 600;
export const MAX_TOKEN_SECONDS = 2 ** 32;

/** Kubelets ask for this lifetime; they get a longer one and a warning mark, so that applications that never reread survive. */
const KUBELET_TOKEN_SECONDS = 3607;
const EXTENDED_TOKEN_SECONDS = 365 * 24 * 3600;

export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { key, clock, issuer = DEFAULT_ISSUER, newId = newUid } = options;
  const apiAudiences = options.apiAudiences ?? [issuer];
  const keyId = options.keyId ?? keyIdOf(key);
  return {
    issue: (grant) => {
      const now = Math.floor(clock.now() / 1000);
      const audiences = grant.audiences?.length ? grant.audiences : apiAudiences;
      const claims: ServiceAccountClaims = {
        ...grant,
        issuer,
        audiences,
        id: newId(),
        issuedAt: now,
        notBefore: now,
        ...lifetime(now, grant, apiAudiences.includes(audiences[0] ?? '')),
      };
      const expirationTimestamp = new Date(claims.expiresAt * 1000).toISOString().replace('.000Z', 'Z');
      return { token: signJws(key, keyId, toPayload(claims)), expirationTimestamp, claims };
    },
  };
}

function lifetime(now: number, grant: TokenGrant, isForApi: boolean): { expiresAt: number; warnAfter?: number } {
  const wanted = grant.expirationSeconds ?? DEFAULT_TOKEN_SECONDS;
  const seconds = Math.min(Math.max(wanted, MIN_TOKEN_SECONDS), MAX_TOKEN_SECONDS);
  const isLegacyMount = isForApi && grant.pod !== undefined && seconds === KUBELET_TOKEN_SECONDS;
  return isLegacyMount
    ? { expiresAt: now + EXTENDED_TOKEN_SECONDS, warnAfter: now + seconds }
    : { expiresAt: now + seconds };
}
