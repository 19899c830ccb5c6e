/** A TrustList, asked about the certificate of a server. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { crypto_utils as crypto, type OPCUAClientOptions, type StatusCode, StatusCodes } from 'node-opcua-client';
import type { Trust } from '../../driver.ts';

type CertificateStore = NonNullable<OPCUAClientOptions['clientCertificateManager']>;

/** Why a certificate is refused: as the protocol has it, and in words that complete "the server's certificate …". */
export interface Refusal {
  readonly code:
    | 'BadCertificateTimeInvalid'
    | 'BadCertificateUntrusted'
    | 'BadCertificateRevoked'
    | 'BadCertificateHostNameInvalid';
  readonly reason: string;
}

export interface TrustQuestion {
  readonly trust: Trust;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** What the endpoint names: an authority vouches for it, and not for whoever else has one of its certificates. */
  readonly host: string;
}

/** Undefined for what is accepted. The chain begins with the server's own. */
export function refusalOf(chain: readonly X509Certificate[], question: TrustQuestion): Refusal | undefined {
  const [own] = chain;
  if (own === undefined) return untrusted('is not there');
  const expired = outOfTime(own, question.now);
  if (expired !== undefined) return expired;
  const trusted = question.trust.trusted.flatMap(certificatesIn);
  if (trusted.some((each) => isSame(each, own))) return undefined;
  const authorities = [...trusted, ...question.trust.issuers.flatMap(certificatesIn), ...chain.slice(1)];
  return refusalOfPath(own, { ...question, trusted, authorities }) ?? hostRefusal(own, question.host);
}

interface PathQuestion extends TrustQuestion {
  readonly trusted: readonly X509Certificate[];
  readonly authorities: readonly X509Certificate[];
}

/** A chain is never longer; it also ends what goes round in a circle. */
const MAX_CHAIN = 8;

/** Up from issuer to issuer, until one of them is trusted. */
function refusalOfPath(own: X509Certificate, question: PathQuestion): Refusal | undefined {
  let subject = own;
  for (let step = 0; step < MAX_CHAIN; step++) {
    const issuer = question.authorities.find((each) => each.ca && isIssuedBy(subject, each));
    if (issuer === undefined || isSame(issuer, subject)) break;
    const refusal = outOfTime(issuer, question.now) ?? revoked(subject, issuer, question.trust);
    if (refusal !== undefined) return refusal;
    if (question.trusted.some((each) => isSame(each, issuer))) return undefined;
    subject = issuer;
  }
  return untrusted('is in no TrustList, nor is an authority that has issued it');
}

function isIssuedBy(subject: X509Certificate, issuer: X509Certificate): boolean {
  return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

function isSame(a: X509Certificate, b: X509Certificate): boolean {
  return a.raw.equals(b.raw);
}

function outOfTime(certificate: X509Certificate, now: number): Refusal | undefined {
  const { validFromDate, validToDate } = certificate;
  const tell = (what: string, date: Date): Refusal => ({
    code: 'BadCertificateTimeInvalid',
    reason: `${nameOf(certificate)} ${what} ${date.toISOString()}`,
  });
  if (now > validToDate.getTime()) return tell('has expired on', validToDate);
  return now < validFromDate.getTime() ? tell('is valid only from', validFromDate) : undefined;
}

/** By the lists of its issuer that there are; without one, nothing is known to be revoked. */
function revoked(subject: X509Certificate, issuer: X509Certificate, { revocationLists }: Trust): Refusal | undefined {
  const lists = revocationLists.map((pem) => crypto.convertPEMtoDER(pem));
  const isRevoked = lists
    .filter(
      (list) =>
        crypto.isCrlIssuedByCertificate(list, issuer.raw) && crypto.verifyCrlIssuedByCertificate(list, issuer.raw),
    )
    .some((list) => {
      const { tbsCertList } = crypto.exploreCertificateRevocationList(list);
      return tbsCertList.revokedCertificates.some(({ userCertificate }) =>
        isSameSerial(userCertificate, subject.serialNumber),
      );
    });
  return isRevoked
    ? { code: 'BadCertificateRevoked', reason: `${nameOf(subject)} was revoked by its issuer` }
    : undefined;
}

function isSameSerial(a: string, b: string): boolean {
  const plain = (serial: string) => serial.replaceAll(':', '').replace(/^0+/, '').toLowerCase();
  return plain(a) === plain(b);
}

function hostRefusal(certificate: X509Certificate, host: string): Refusal | undefined {
  const found = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  if (found !== undefined) return undefined;
  return { code: 'BadCertificateHostNameInvalid', reason: `is trusted by its authority, but does not name ${host}` };
}

function untrusted(reason: string): Refusal {
  return { code: 'BadCertificateUntrusted', reason };
}

function nameOf({ subject }: X509Certificate): string {
  return `(${subject.replaceAll('\n', ', ')})`;
}

/** What does not parse trusts nobody. */
function certificatesIn(pem: string): readonly X509Certificate[] {
  const parts = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return parts.flatMap((part) => {
    try {
      return [new X509Certificate(part)];
    } catch {
      return [];
    }
  });
}

export interface StoreOptions {
  readonly trust: Trust;
  readonly host: string;
  readonly now: () => number;
  /** Our own is not for the list to judge. */
  readonly own: Uint8Array;
  readonly onRefused: (certificate: Uint8Array, refusal: Refusal) => void;
}

/** One certificate, several one after another, or a list. */
type Given = Uint8Array | readonly Uint8Array[];

/** The list as the library asks it. Nothing is ever added to it from here. */
export function certificateStore({ trust, host, now, own, onRefused }: StoreOptions): CertificateStore {
  const judge = (given: Given): StatusCode => {
    const ders = given instanceof Uint8Array ? crypto.split_der(Buffer.from(given)) : given;
    const [first] = ders;
    if (first === undefined) return StatusCodes.BadCertificateInvalid;
    if (Buffer.compare(first, own) === 0) return StatusCodes.Good;
    const refusal = refusalOf(
      ders.map((der) => new X509Certificate(der)),
      { trust, host, now: now() },
    );
    if (refusal === undefined) return StatusCodes.Good;
    onRefused(first, refusal);
    return StatusCodes[refusal.code];
  };
  return {
    referenceCounter: 0,
    initialize: async () => {},
    dispose: async () => {},
    checkCertificate: async (certificate: Given) => judge(certificate),
    verifyCertificate: async (certificate: Given) => judge(certificate).name,
    getTrustStatus: async (certificate: Given) => judge(certificate),
    trustCertificate: async () => {},
    rejectCertificate: async () => {},
    addIssuer: async () => undefined,
    addRevocationList: async () => undefined,
  };
}
