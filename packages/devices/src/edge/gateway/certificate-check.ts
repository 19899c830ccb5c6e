/** Whom a server lets come: a TrustList decides about applications and users, and what it refuses is shown. */
import { X509Certificate } from 'node:crypto';
import type { Clock } from '@skerry/base';
import { type CertificateStore, certificateStore } from '../opcua/certificate-store.ts';
import { type Refusal, refusalOf, type TrustAnchors } from '../opcua/trust.ts';
import type { RejectedCertificates } from '../worker/rejected-certificates.ts';

export interface CertificateCheckOptions {
  readonly clock: Clock;
  /** Of the server. */
  readonly own: Uint8Array | undefined;
  /** Undefined: no certificate is accepted. */
  readonly anchors: () => TrustAnchors | undefined;
  readonly refusals: RejectedCertificates;
  /** Whether somebody else has the common name. */
  readonly isTaken?: (name: string) => boolean;
}

const NO_ANCHORS: TrustAnchors = { trusted: [], issuers: [], revocationLists: [] };

export function certificateCheck({
  clock,
  own,
  anchors,
  refusals,
  isTaken,
}: CertificateCheckOptions): CertificateStore {
  const judge = (chain: readonly Uint8Array[]): Refusal | undefined => {
    const named = anchors();
    const refusal = refusalOf(chain, { anchors: named ?? NO_ANCHORS, now: clock.now() });
    if (refusal === undefined) return isTaken === undefined ? undefined : nameRefusal(chain[0], isTaken);
    return named === undefined ? { ...refusal, reason: 'cannot be accepted, because no TrustList is named' } : refusal;
  };
  const onRefused = (der: Uint8Array, { reason }: Refusal) =>
    refusals.add(der, `the certificate ${reason}`, clock.now());
  return certificateStore({ judge, own, onRefused });
}

function nameRefusal(der: Uint8Array | undefined, isTaken: (name: string) => boolean): Refusal | undefined {
  const { subject } = new X509Certificate(der ?? new Uint8Array());
  const [, name = ''] = /^CN=(.*)$/m.exec(subject) ?? [];
  return isTaken(name)
    ? { code: 'BadCertificateUntrusted', reason: `has the name ${name}, which is that of a user with a password` }
    : undefined;
}
