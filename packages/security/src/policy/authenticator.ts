/** Who is it: client certificate, then bearer token, then anonymous. Every check of a certificate is ours, on every request. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Authentication, Authenticator, Credentials, UserInfo } from '@skerry/api';
import { type Clock, messageOf } from '@skerry/base';
import { type Certificate, isSignedBy, parseCertificate, refusalOf } from '../pki/index.ts';
import type { TokenVerifier } from '../tokens/index.ts';

export interface AuthenticatorOptions {
  readonly authority: Certificate;
  readonly clock: Clock;
  readonly isRevoked?: (certificate: Certificate) => boolean;
  readonly tokens?: TokenVerifier;
  /** Fixed bearer tokens and their users; for an operator's automation. */
  readonly staticTokens?: ReadonlyMap<string, UserInfo>;
}

export const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };

const AUTHENTICATED = 'system:authenticated';
/** Certificates whose signature was found good; dates and revocation are looked at each time. */
const REMEMBERED_CERTIFICATES = 4096;

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const readCertificate = rememberCertificates(options.authority);
  const staticTokens = Array.from(options.staticTokens ?? [], ([token, user]) => ({ hash: sha256(token), user }));

  const fromCertificate = (raw: Uint8Array): Authentication => {
    const known = readCertificate(raw);
    if (!known) return { kind: 'refused', reason: 'client certificate cannot be read or is not of this authority' };
    const { authority, clock, isRevoked } = options;
    const refusal = refusalOf(known.certificate, {
      authority,
      now: clock.now(),
      usage: 'clientAuth',
      isSignatureKnown: true,
      ...(isRevoked && { isRevoked }),
    });
    return refusal ? { kind: 'refused', reason: `client certificate: ${refusal}` } : known.authentication;
  };

  const fromToken = (token: string): Authentication => {
    const hash = sha256(token);
    // All are compared, whichever matches, so that time says nothing.
    const [match] = staticTokens.filter((candidate) => timingSafeEqual(candidate.hash, hash));
    if (match) return { kind: 'user', user: match.user };
    if (!options.tokens) return { kind: 'refused', reason: 'bearer tokens are not accepted' };
    try {
      return { kind: 'user', user: options.tokens.verify(token).user };
    } catch (error) {
      return { kind: 'refused', reason: messageOf(error) };
    }
  };

  return {
    authenticate: async ({ peerCertificate, bearerToken }: Credentials) => {
      const byCertificate = peerCertificate && fromCertificate(peerCertificate.raw);
      if (byCertificate?.kind === 'user') return byCertificate;
      if (bearerToken !== undefined) return fromToken(bearerToken);
      return byCertificate ?? { kind: 'anonymous' };
    },
  };
}

interface KnownCertificate {
  readonly certificate: Certificate;
  readonly authentication: Authentication;
}

function rememberCertificates(authority: Certificate): (raw: Uint8Array) => KnownCertificate | undefined {
  const known = new Map<string, KnownCertificate>();
  return (raw) => {
    const key = sha256(raw).toString('latin1');
    const found = known.get(key);
    if (found) return found;
    const certificate = parseOrNothing(raw);
    if (!certificate || !isSignedBy(certificate, authority)) return undefined;
    if (known.size >= REMEMBERED_CERTIFICATES) known.delete(known.keys().next().value ?? '');
    const made: KnownCertificate = {
      certificate,
      authentication: { kind: 'user', user: certificateUser(certificate) },
    };
    known.set(key, made);
    return made;
  };
}

/** The common name is the user, the organizations are the groups. */
export function certificateUser({ subject }: Pick<Certificate, 'subject'>): UserInfo {
  return { username: subject.commonName, groups: [...subject.organizations, AUTHENTICATED] };
}

function parseOrNothing(raw: Uint8Array): Certificate | undefined {
  try {
    const certificate = parseCertificate(raw);
    return certificate.subject.commonName === '' ? undefined : certificate;
  } catch {
    return undefined;
  }
}

function sha256(bytes: string | Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
