/** Certificate requests (PKCS #10): what a node sends to prove that it holds a key. Whatever else it asks for is only compared. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { errors } from '../errors.ts';
import { ecdsaSha256Identifier, isAcceptableKey, verifySignature } from './algorithms.ts';
import { EXTENSION, readExtension } from './certificate.ts';
import * as der from './der.ts';
import { exportPublicKey } from './issue.ts';
import {
  type AlternativeNames,
  decodeAlternativeNames,
  decodeSubject,
  encodeSubject,
  NO_ALTERNATIVE_NAMES,
  type Subject,
} from './names.ts';
import { fromPem, toPem } from './pem.ts';

export interface CertificateRequest {
  readonly publicKeyDer: Uint8Array;
  /** What the sender would like to be called; to be checked, never to be copied. */
  readonly subject: Subject;
  readonly names: AlternativeNames;
}

/** Larger requests are refused unread. */
export const MAX_CSR_BYTES = 16 * 1024;

const LABEL = 'CERTIFICATE REQUEST';
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

/** A request for the key's certificate, as PEM. */
export function createCsr(key: KeyObject, subject: Subject = { commonName: '', organizations: [] }): string {
  const body = der.sequence(
    der.integer(Uint8Array.of(0)),
    encodeSubject(subject),
    exportPublicKey(key),
    der.encode(0xa0),
  );
  return toPem(LABEL, der.sequence(body, ecdsaSha256Identifier(), der.bitString(sign('sha256', body, key))));
}

/** Reads a request and checks that its sender holds the private key; throws CSR_REFUSED or DER_INVALID otherwise. */
export function parseCsr(pem: string): CertificateRequest {
  if (pem.length > MAX_CSR_BYTES) throw errors.CSR_REFUSED({ reason: 'too large' });
  const whole = der.expectTag(der.readElement(fromPem(LABEL, pem)), der.TAG.sequence, 'certificate request');
  const [body, algorithm, signature] = der.readChildren(whole);
  const [, subject, publicKey, attributes] = der.readChildren(der.expectTag(body, der.TAG.sequence, 'request body'));
  const publicKeyDer = der.expectTag(publicKey, der.TAG.sequence, 'public key').raw;
  const signed = {
    bytes: body?.raw ?? new Uint8Array(),
    algorithm: der.readOid(der.expectTag(algorithm && der.readChildren(algorithm)[0], der.TAG.oid, 'algorithm')),
    signature: der.readBitString(der.expectTag(signature, der.TAG.bitString, 'signature')),
  };
  const key = readKey(publicKeyDer);
  if (!isAcceptableKey(key)) throw errors.CSR_REFUSED({ reason: 'key type is not accepted' });
  if (!verifySignature(signed.algorithm, key, signed.bytes, signed.signature)) {
    throw errors.CSR_REFUSED({ reason: 'its signature was not made with its key' });
  }
  return {
    publicKeyDer,
    subject: decodeSubject(der.expectTag(subject, der.TAG.sequence, 'subject')),
    names: requestedNames(attributes),
  };
}

function readKey(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw errors.CSR_REFUSED({ reason: 'its key cannot be read' }, { cause });
  }
}

function requestedNames(attributes: der.DerElement | undefined): AlternativeNames {
  if (!attributes) return NO_ALTERNATIVE_NAMES;
  for (const attribute of der.readChildren(attributes)) {
    const [type, values] = der.readChildren(attribute);
    if (!type || !values || der.readOid(type) !== EXTENSION_REQUEST) continue;
    const extensions = der.readChildren(der.expectTag(der.readChildren(values)[0], der.TAG.sequence, 'extensions'));
    const names = extensions.map(readExtension).find(({ id }) => id === EXTENSION.alternativeNames);
    if (names) return decodeAlternativeNames(names.value);
  }
  return NO_ALTERNATIVE_NAMES;
}
