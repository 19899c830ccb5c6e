/** Making certificates: a CA, and what it signs. Every name, usage and date comes from the caller, never from a request. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type RandomBytes, secureRandom } from '@skerry/base';
import { errors } from '../errors.ts';
import { ecdsaSha256Identifier } from './algorithms.ts';
import {
  type Certificate,
  certificateToPem,
  EXTENSION,
  parseCertificate,
  USAGE_OID,
  type Usage,
} from './certificate.ts';
import * as der from './der.ts';
import {
  type AlternativeNames,
  encodeAlternativeNames,
  encodeSubject,
  hasNames,
  NO_ALTERNATIVE_NAMES,
  type Subject,
} from './names.ts';

/** A certificate with its private key. */
export interface Credential {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

/** A credential whose certificate may sign others. */
export type Authority = Credential;

export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Profile extends Validity {
  readonly subject: Subject;
  readonly names?: AlternativeNames;
  readonly usages: readonly Usage[];
}

export interface IssueContext {
  /** When it is issued: the first bytes of the serial number say so, and revocation goes by it. */
  readonly now: number;
  readonly random?: RandomBytes;
}

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;

export const YEAR_MS = 365 * DAY;
export const DAY_MS = DAY;

/** New certificates are valid from a little earlier, for peers whose clocks are behind. */
export const BACKDATE_MS = 5 * 60 * SECOND;

const AUTHORITY_LIFE_MS = 20 * YEAR_MS;
const SERIAL_TIME_BYTES = 6;
const SERIAL_RANDOM_BYTES = 10;
const AUTHORITY_KEY_USAGE = Uint8Array.of(0x86); // digitalSignature, keyCertSign, cRLSign
const DIGITAL_SIGNATURE = Uint8Array.of(0x80);

/**
 * A self-signed P-256 CA, valid from the epoch: an edge node without a battery-backed clock must still be able to verify
 * what it signed (docs/adr/0002). Its name carries random digits, so that two clouds' CAs never look alike.
 */
export function createAuthority(
  context: IssueContext,
  options: { readonly name?: string; readonly key?: KeyObject } = {},
): Authority {
  const key = options.key ?? newPrivateKey();
  const mark = Buffer.from((context.random ?? secureRandom)(4)).toString('hex');
  const subject: Subject = { commonName: `${options.name ?? 'skerry-ca'}-${mark}`, organizations: [] };
  const publicKeyDer = exportPublicKey(key);
  const subjectDer = encodeSubject(subject);
  const certificate = assemble(context, {
    key,
    issuerDer: subjectDer,
    subjectDer,
    publicKeyDer,
    validity: { notBefore: 0, notAfter: context.now + AUTHORITY_LIFE_MS },
    extensions: [
      extension(EXTENSION.basicConstraints, der.sequence(der.boolean(true), der.integer(Uint8Array.of(0))), true),
      extension(EXTENSION.keyUsage, der.bitString(AUTHORITY_KEY_USAGE, 1), true),
      extension(EXTENSION.subjectKeyId, der.octetString(keyId(publicKeyDer))),
    ],
  });
  return { certificate, key };
}

/** Signs a certificate for `publicKeyDer` (SubjectPublicKeyInfo) with the profile's names, usages and dates. */
export function issue(
  authority: Authority,
  publicKeyDer: Uint8Array,
  profile: Profile,
  context: IssueContext,
): Certificate {
  const names = profile.names ?? NO_ALTERNATIVE_NAMES;
  return assemble(context, {
    key: authority.key,
    issuerDer: authority.certificate.subjectDer,
    subjectDer: encodeSubject(profile.subject),
    publicKeyDer,
    validity: profile,
    extensions: [
      extension(EXTENSION.basicConstraints, der.sequence(), true),
      extension(EXTENSION.keyUsage, der.bitString(DIGITAL_SIGNATURE, 7), true),
      extension(EXTENSION.extendedKeyUsage, der.sequence(...profile.usages.map((usage) => der.oid(USAGE_OID[usage])))),
      extension(EXTENSION.authorityKeyId, der.sequence(der.implicit(0, keyId(authority.certificate.publicKeyDer)))),
      extension(EXTENSION.subjectKeyId, der.octetString(keyId(publicKeyDer))),
      ...(hasNames(names) ? [extension(EXTENSION.alternativeNames, encodeAlternativeNames(names))] : []),
    ],
  });
}

/** Issues to a key made here. */
export function issueCredential(authority: Authority, profile: Profile, context: IssueContext): Credential {
  const key = newPrivateKey();
  return { key, certificate: issue(authority, exportPublicKey(key), profile, context) };
}

export interface ServerProfileOptions {
  readonly names: AlternativeNames;
  readonly organizations?: readonly string[];
  readonly validity: Validity;
}

/** A TLS server: the first name is also the common name. */
export function serverProfile(options: ServerProfileOptions): Profile {
  const commonName = options.names.dns[0] ?? options.names.ips[0] ?? 'skerry';
  return {
    subject: { commonName, organizations: options.organizations ?? [] },
    names: options.names,
    usages: ['serverAuth'],
    ...options.validity,
  };
}

/** A client as Kubernetes reads it: user and groups. */
export function clientProfile(
  user: string,
  groups: readonly string[],
  validity: Validity,
  uris: readonly string[] = [],
): Profile {
  return {
    subject: { commonName: user, organizations: groups },
    names: { dns: [], ips: [], uris },
    usages: ['clientAuth'],
    ...validity,
  };
}

/** From a little before now, for `lifeMs`. */
export function validFor(now: number, lifeMs: number): Validity {
  return { notBefore: now - BACKDATE_MS, notAfter: now + lifeMs };
}

/** When a certificate of ours was issued, in milliseconds: the first bytes of its serial number. */
export function issuedAt(certificate: Pick<Certificate, 'serial'>): number {
  const bytes = SERIAL_TIME_BYTES + SERIAL_RANDOM_BYTES;
  return Number.parseInt(certificate.serial.padStart(bytes * 2, '0').slice(0, SERIAL_TIME_BYTES * 2), 16);
}

export function newPrivateKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

export function privateKeyFromPem(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw errors.PEM_INVALID({ label: 'PRIVATE KEY' }, { cause });
  }
}

export function privateKeyToPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** Certificate and key as PEM, as TLS options and kubeconfigs take them. */
export function credentialToPem(credential: Credential): { readonly cert: string; readonly key: string } {
  return { cert: certificateToPem(credential.certificate), key: privateKeyToPem(credential.key) };
}

/** SubjectPublicKeyInfo of a private key. */
export function exportPublicKey(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }));
}

/** True when the private key is the one that the certificate names. */
export function isKeyOf(key: KeyObject, certificate: Certificate): boolean {
  return Buffer.compare(exportPublicKey(key), certificate.publicKeyDer) === 0;
}

interface Parts {
  readonly key: KeyObject;
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  readonly publicKeyDer: Uint8Array;
  readonly validity: Validity;
  readonly extensions: readonly Uint8Array[];
}

function assemble(context: IssueContext, parts: Parts): Certificate {
  const body = der.sequence(
    der.explicit(0, der.integer(Uint8Array.of(2))),
    der.integer(serialNumber(context)),
    ecdsaSha256Identifier(),
    parts.issuerDer,
    der.sequence(der.time(parts.validity.notBefore), der.time(parts.validity.notAfter)),
    parts.subjectDer,
    parts.publicKeyDer,
    der.explicit(3, der.sequence(...parts.extensions)),
  );
  const signature = sign('sha256', body, parts.key);
  return parseCertificate(der.sequence(body, ecdsaSha256Identifier(), der.bitString(signature)));
}

function serialNumber({ now, random = secureRandom }: IssueContext): Uint8Array {
  const bytes = Buffer.alloc(SERIAL_TIME_BYTES + SERIAL_RANDOM_BYTES);
  bytes.writeUIntBE(now, 0, SERIAL_TIME_BYTES);
  bytes.set(random(SERIAL_RANDOM_BYTES), SERIAL_TIME_BYTES);
  return bytes;
}

function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return critical
    ? der.sequence(der.oid(id), der.boolean(true), der.octetString(value))
    : der.sequence(der.oid(id), der.octetString(value));
}

/** RFC 7093 §2 method 1: the leftmost 160 bits of the SHA-256 of the key. */
function keyId(publicKeyDer: Uint8Array): Uint8Array {
  return createHash('sha256').update(publicKeyDer).digest().subarray(0, 20);
}
