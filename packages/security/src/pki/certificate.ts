/** An X.509 certificate as we read it: its facts, from the exact bytes. Reading trusts nothing; `verify.ts` decides. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { errors } from '../errors.ts';
import * as der from './der.ts';
import {
  type AlternativeNames,
  decodeAlternativeNames,
  decodeSubject,
  NO_ALTERNATIVE_NAMES,
  type Subject,
} from './names.ts';
import { fromPem, toPem } from './pem.ts';

export type Usage = 'serverAuth' | 'clientAuth';

export interface Certificate {
  readonly der: Uint8Array;
  /** Hexadecimal, lower case, without leading zeros of the encoding. */
  readonly serial: string;
  readonly subject: Subject;
  /** The encoded names; equal bytes are equal names. */
  readonly subjectDer: Uint8Array;
  readonly issuerDer: Uint8Array;
  /** Milliseconds since the epoch, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly isCa: boolean;
  readonly usages: readonly Usage[];
  readonly names: AlternativeNames;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array;
  readonly signed: { readonly bytes: Uint8Array; readonly algorithm: string; readonly signature: Uint8Array };
  /** True when an extension marked critical is one we do not know: such a certificate must be refused. */
  readonly hasUnknownCritical: boolean;
}

/** Larger certificates are refused unread. */
const MAX_CERTIFICATE_BYTES = 16 * 1024;

export const EXTENSION = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

export const USAGE_OID: Readonly<Record<Usage, string>> = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
};

const CERTIFICATE_LABEL = 'CERTIFICATE';

export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) throw errors.DER_INVALID({ what: 'certificate size' });
  const whole = der.expectTag(der.readElement(bytes), der.TAG.sequence, 'certificate');
  const [tbs, algorithm, signature] = der.readChildren(whole);
  const body = der.expectTag(tbs, der.TAG.sequence, 'certificate body');
  const outer = der.expectTag(algorithm, der.TAG.sequence, 'signature algorithm');
  const fields = readBody(body, outer);
  return {
    der: bytes,
    ...fields,
    ...readExtensions(fields.extensions),
    signed: {
      bytes: body.raw,
      algorithm: der.readOid(der.expectTag(der.readChildren(outer)[0], der.TAG.oid, 'signature algorithm')),
      signature: der.readBitString(der.expectTag(signature, der.TAG.bitString, 'signature')),
    },
  };
}

export function certificateFromPem(text: string): Certificate {
  return parseCertificate(fromPem(CERTIFICATE_LABEL, text));
}

export function certificateToPem(certificate: Pick<Certificate, 'der'>): string {
  return toPem(CERTIFICATE_LABEL, certificate.der);
}

/** `sha256:` and the hash of the whole certificate in hexadecimal. */
export function fingerprint(certificate: Pick<Certificate, 'der'>): string {
  return `sha256:${createHash('sha256').update(certificate.der).digest('hex')}`;
}

export function publicKeyOf(certificate: Pick<Certificate, 'publicKeyDer'>): KeyObject {
  return createPublicKey({ key: Buffer.from(certificate.publicKeyDer), format: 'der', type: 'spki' });
}

function readBody(body: der.DerElement, outerAlgorithm: der.DerElement) {
  const [version, serial, algorithm, issuer, validity, subject, publicKey, ...rest] = der.readChildren(body);
  if (version?.tag !== 0xa0) throw errors.DER_INVALID({ what: 'certificate version' });
  // The algorithm stands twice; only the inner one is signed, so they must be the same bytes.
  if (!algorithm || Buffer.compare(algorithm.raw, outerAlgorithm.raw) !== 0) {
    throw errors.DER_INVALID({ what: 'signature algorithm' });
  }
  const [notBefore, notAfter] = der.readChildren(der.expectTag(validity, der.TAG.sequence, 'validity'));
  if (!notBefore || !notAfter) throw errors.DER_INVALID({ what: 'validity' });
  const name = der.expectTag(subject, der.TAG.sequence, 'subject');
  return {
    serial: serialText(der.expectTag(serial, der.TAG.integer, 'serial number')),
    subject: decodeSubject(name),
    subjectDer: name.raw,
    issuerDer: der.expectTag(issuer, der.TAG.sequence, 'issuer').raw,
    notBefore: der.readTime(notBefore),
    notAfter: der.readTime(notAfter),
    publicKeyDer: der.expectTag(publicKey, der.TAG.sequence, 'public key').raw,
    extensions: rest.find((element) => element.tag === 0xa3),
  };
}

function serialText(element: der.DerElement): string {
  return Buffer.from(element.content)
    .toString('hex')
    .replace(/^(?:00)+(?=..)/, '');
}

function readExtensions(wrapper: der.DerElement | undefined) {
  const facts = { isCa: false, usages: [] as Usage[], names: NO_ALTERNATIVE_NAMES, hasUnknownCritical: false };
  if (!wrapper) return facts;
  const list = der.expectTag(der.readElement(wrapper.content), der.TAG.sequence, 'extensions');
  for (const { id, critical, value } of der.readChildren(list).map(readExtension)) {
    switch (id) {
      case EXTENSION.basicConstraints:
        facts.isCa = readBasicConstraints(value);
        break;
      case EXTENSION.extendedKeyUsage:
        facts.usages = readUsages(value);
        break;
      case EXTENSION.alternativeNames:
        facts.names = decodeAlternativeNames(value);
        break;
      case EXTENSION.keyUsage:
      case EXTENSION.subjectKeyId:
      case EXTENSION.authorityKeyId:
        break;
      default:
        facts.hasUnknownCritical ||= critical;
    }
  }
  return facts;
}

/** `SEQUENCE { id, critical BOOLEAN DEFAULT FALSE, value OCTET STRING }` */
export function readExtension(element: der.DerElement): { id: string; critical: boolean; value: Uint8Array } {
  const parts = der.readChildren(der.expectTag(element, der.TAG.sequence, 'extension'));
  const id = der.readOid(der.expectTag(parts[0], der.TAG.oid, 'extension'));
  const flag = parts.length === 3 ? der.expectTag(parts[1], der.TAG.boolean, 'extension') : undefined;
  const value = der.expectTag(parts[parts.length - 1], der.TAG.octetString, 'extension');
  return { id, critical: flag?.content[0] === 0xff, value: value.content };
}

function readBasicConstraints(value: Uint8Array): boolean {
  const [flag] = der.readChildren(der.expectTag(der.readElement(value), der.TAG.sequence, 'basic constraints'));
  return flag?.tag === der.TAG.boolean && flag.content[0] === 0xff;
}

function readUsages(value: Uint8Array): Usage[] {
  const list = der.readChildren(der.expectTag(der.readElement(value), der.TAG.sequence, 'extended key usage'));
  const present = new Set(list.map((element) => der.readOid(element)));
  return (Object.keys(USAGE_OID) as Usage[]).filter((usage) => present.has(USAGE_OID[usage]));
}
