/** Whether a certificate is good, decided by us: TLS libraries say `authorized` for a resumed session whatever the date. */

import { verifySignature } from './algorithms.ts';
import { type Certificate, publicKeyOf, type Usage } from './certificate.ts';

export type Refusal = 'issuer' | 'signature' | 'not-yet-valid' | 'expired' | 'usage' | 'critical-extension' | 'revoked';

export interface VerifyOptions {
  readonly authority: Certificate;
  readonly now: number;
  readonly usage: Usage;
  readonly isRevoked?: (certificate: Certificate) => boolean;
  /** The caller has checked the signature of these very bytes before. */
  readonly isSignatureKnown?: boolean;
  /** Renewal only: how long after its end a certificate still speaks for its holder. */
  readonly expiredGraceMs?: number;
}

/** The first reason to refuse, or nothing. Dates come after the signature: only a certificate of ours can be `expired`. */
export function refusalOf(certificate: Certificate, options: VerifyOptions): Refusal | undefined {
  const { authority, now, usage } = options;
  if (Buffer.compare(certificate.issuerDer, authority.subjectDer) !== 0) return 'issuer';
  if (!options.isSignatureKnown && !isSignedBy(certificate, authority)) return 'signature';
  if (certificate.hasUnknownCritical) return 'critical-extension';
  if (certificate.isCa || !certificate.usages.includes(usage)) return 'usage';
  if (now < certificate.notBefore) return 'not-yet-valid';
  if (now > certificate.notAfter + (options.expiredGraceMs ?? 0)) return 'expired';
  if (options.isRevoked?.(certificate)) return 'revoked';
  return undefined;
}

/** True when the authority may sign and its key made the certificate's signature. */
export function isSignedBy(certificate: Certificate, authority: Certificate): boolean {
  const { algorithm, bytes, signature } = certificate.signed;
  return authority.isCa && verifySignature(algorithm, publicKeyOf(authority), bytes, signature);
}
