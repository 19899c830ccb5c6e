/** Whether a certificate is accepted by a TrustList, and in words why not. Pure: the time is given. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { crypto_utils as crypto } from 'node-opcua-client';
import type { Trust } from '../driver.ts';

export interface Refusal {
  readonly code: RefusalCode;
  /** Completes the sentence "the certificate …". */
  readonly reason: string;
}

export type RefusalCode =
  | 'BadCertificateInvalid'
  | 'BadCertificateTimeInvalid'
  | 'BadCertificateIssuerTimeInvalid'
  | 'BadCertificateRevoked'
  | 'BadCertificateHostNameInvalid'
  | 'BadCertificateUntrusted';

export interface TrustAnchors {
  readonly trusted: readonly X509Certificate[];
  readonly issuers: readonly X509Certificate[];
  readonly revocationLists: readonly RevocationList[];
}

interface RevocationList {
  readonly der: Buffer;
  /** Serial numbers, hexadecimal. */
  readonly serials: ReadonlySet<string>;
}

/** Longer chains are a mistake. */
const MAX_CHAIN = 8;

/** Throws when something in the list cannot be read: half a trust list is none. */
export function readAnchors({ trusted, issuers, revocationLists }: Trust): TrustAnchors {
  return {
    trusted: trusted.flatMap(certificatesIn),
    issuers: issuers.flatMap(certificatesIn),
    revocationLists: revocationLists.map((pem) => readRevocationList(crypto.convertPEMtoDER(pem))),
  };
}

/** A file of an authority often holds its whole chain. */
function certificatesIn(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (blocks === null) throw new TypeError('there is no certificate');
  return blocks.map((block) => new X509Certificate(block));
}

function readRevocationList(der: Buffer): RevocationList {
  const { revokedCertificates } = crypto.exploreCertificateRevocationList(der).tbsCertList;
  return { der, serials: new Set(revokedCertificates.map(({ userCertificate }) => serialOf(userCertificate))) };
}

export interface TrustQuestion {
  readonly anchors: TrustAnchors;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Of a server: what its endpoint names. An authority vouches for that host, and not for whoever else has one of its certificates. */
  readonly host?: string;
}

/** Undefined when it is accepted. `chain` begins with the certificate itself. */
export function refusalOf(chain: readonly Uint8Array[], { anchors, now, host }: TrustQuestion): Refusal | undefined {
  const certificates = chain.slice(0, MAX_CHAIN).map(readCertificate);
  const [leaf] = certificates;
  if (leaf === undefined) return { code: 'BadCertificateInvalid', reason: 'cannot be read' };
  const known = [...anchors.trusted, ...anchors.issuers, ...certificates.filter((each) => each !== undefined)];
  const trusted = new Set(anchors.trusted.map(({ fingerprint256 }) => fingerprint256));
  let isTrusted = false;
  let current = leaf;
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const untimely = timeRefusal(current, now, depth > 0);
    if (untimely !== undefined) return untimely;
    isTrusted ||= trusted.has(current.fingerprint256);
    const issuer = known.find((each) => isIssuedBy(current, each));
    if (issuer === undefined) break;
    if (isRevoked(current, issuer, anchors)) return { code: 'BadCertificateRevoked', reason: 'was revoked' };
    current = issuer;
  }
  if (!isTrusted)
    return { code: 'BadCertificateUntrusted', reason: 'is not in the trust list, and neither is who issued it' };
  return host === undefined || trusted.has(leaf.fingerprint256) ? undefined : hostRefusal(leaf, host);
}

function hostRefusal(leaf: X509Certificate, host: string): Refusal | undefined {
  const named = isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host);
  if (named !== undefined) return undefined;
  return { code: 'BadCertificateHostNameInvalid', reason: `is of a trusted authority, but does not name ${host}` };
}

function readCertificate(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

function timeRefusal({ validFromDate, validToDate }: X509Certificate, now: number, isIssuer: boolean) {
  const code = isIssuer ? 'BadCertificateIssuerTimeInvalid' : 'BadCertificateTimeInvalid';
  const whose = isIssuer ? 'has an issuer that ' : '';
  if (now > validToDate.getTime()) return { code, reason: `${whose}expired at ${validToDate.toISOString()}` } as const;
  if (now < validFromDate.getTime())
    return { code, reason: `${whose}is valid only from ${validFromDate.toISOString()}` } as const;
  return undefined;
}

/** By another one: a certificate that signed itself has no issuer. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return (
    issuer.ca &&
    issuer.fingerprint256 !== certificate.fingerprint256 &&
    certificate.checkIssued(issuer) &&
    certificate.verify(issuer.publicKey)
  );
}

function isRevoked({ serialNumber }: X509Certificate, issuer: X509Certificate, anchors: TrustAnchors): boolean {
  const serial = serialOf(serialNumber);
  return anchors.revocationLists.some(
    ({ der, serials }) => serials.has(serial) && crypto.verifyCertificateRevocationListSignature(der, issuer.raw),
  );
}

/** Without separators and leading zeros, so that two writings compare. */
function serialOf(text: string): string {
  return text
    .replaceAll(':', '')
    .toLowerCase()
    .replace(/^0+(?=.)/, '');
}
