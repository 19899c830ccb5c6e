/** A server's own key pair: from a Secret, or made here once and kept, so that clients who trust it go on doing so. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { ResolvedCertificateKeyPairProvider } from 'node-opcua-common';
import {
  CertificatePurpose,
  coercePEMorDerToPrivateKey,
  createSelfSignedCertificate,
  generateKeyPair,
  pemToPrivateKey,
  privateKeyToPEM,
} from 'node-opcua-crypto';

export interface KeyPair {
  readonly keyPem: string;
  /** The own one first, then whoever vouches for it. */
  readonly chain: readonly X509Certificate[];
}

export interface CertificateFacts {
  readonly commonName: string;
  readonly applicationUri: string;
  /** Names and addresses. */
  readonly hosts: readonly string[];
}

const KEY_BITS = 2048;
const VALID_DAYS = 3650;
const RENEW_BEFORE_MS = 30 * 24 * 3600 * 1000;

const BLOCK = /-----BEGIN ([A-Z ]+)-----[\s\S]*?-----END \1-----\n?/g;

/** Throws when there is no key or no certificate in it, or one that the key does not belong to. */
export function keyPairOf(pem: string): KeyPair {
  const blocks = pem.match(BLOCK) ?? [];
  const keyPem = blocks.find((block) => block.includes('PRIVATE KEY'));
  const chain = blocks
    .filter((block) => block.includes('BEGIN CERTIFICATE'))
    .map((block) => new X509Certificate(block));
  if (keyPem === undefined || chain[0] === undefined) throw new TypeError('needs a private key and a certificate');
  if (chain[0].publicKey.asymmetricKeyType !== 'rsa') throw new TypeError('must be of RSA, as OPC UA wants it');
  if (!chain[0].checkPrivateKey(createPrivateKey(keyPem))) throw new TypeError('is not that of the key');
  return { keyPem, chain };
}

/** Certificates of OPC UA are of RSA, which the site's authority is not; so it signs itself, and its thumbprint is in the status. */
export async function ownKeyPair(file: string, facts: CertificateFacts, now: number): Promise<KeyPair> {
  const kept = existsSync(file) ? keyPairOf(readFileSync(file, 'utf8')) : undefined;
  if (kept !== undefined && isGoodFor(kept, facts, now)) return kept;
  const pem = await makePair(facts, now, kept?.keyPem);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.new`;
  writeFileSync(fresh, pem, { mode: 0o600 });
  renameSync(fresh, file);
  return keyPairOf(pem);
}

function isGoodFor({ chain: [own] }: KeyPair, { applicationUri, hosts }: CertificateFacts, now: number): boolean {
  if (own === undefined || own.validToDate.getTime() - RENEW_BEFORE_MS < now) return false;
  const names = new Set((own.subjectAltName ?? '').split(', '));
  const wanted = hosts.map((host) => (isIP(host) === 0 ? `DNS:${host}` : `IP Address:${host}`));
  return [`URI:${applicationUri}`, ...wanted].every((name) => names.has(name));
}

async function makePair(facts: CertificateFacts, now: number, keyPem: string | undefined): Promise<string> {
  const { commonName, applicationUri, hosts } = facts;
  const key = keyPem === undefined ? (await generateKeyPair(KEY_BITS)).privateKey : await pemToPrivateKey(keyPem);
  const { cert } = await createSelfSignedCertificate({
    privateKey: key,
    subject: `/CN=${commonName}/O=Skerry`,
    applicationUri,
    dns: hosts.filter((host) => isIP(host) === 0),
    ip: hosts.filter((host) => isIP(host) !== 0),
    // Clocks at the edge differ.
    notBefore: new Date(now - 24 * 3600 * 1000),
    validity: VALID_DAYS,
    purpose: CertificatePurpose.ForApplication,
  });
  return `${(await privateKeyToPEM(key)).privPem}\n${cert}\n`;
}

export function thumbprintOf({ chain: [own] }: KeyPair): string {
  return (own?.fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
}

/** For the library, which only shares what is of this class with its endpoints. Nothing of it is on disk. */
export class HeldKeyPair extends ResolvedCertificateKeyPairProvider {
  readonly #chain: Buffer[];

  constructor({ keyPem, chain }: KeyPair) {
    super(IN_MEMORY, IN_MEMORY, coercePEMorDerToPrivateKey(keyPem));
    this.#chain = chain.map(({ raw }) => raw);
  }

  override getCertificateChain(): Buffer[] {
    return this.#chain;
  }
}

/** The library's word for it. */
export const IN_MEMORY = '<in-memory>';
