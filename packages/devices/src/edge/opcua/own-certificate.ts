/** The key pair of a server, or of this node as a client: from a Secret, or made here once and kept, so that who trusts it goes on doing so. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { crypto_utils as crypto, type OPCUAClientOptions } from 'node-opcua-client';

export interface KeyPair {
  readonly keyPem: string;
  /** The own one first, then whoever vouches for it. */
  readonly chain: readonly X509Certificate[];
}

export interface CertificateFacts {
  readonly commonName: string;
  readonly applicationUri: string;
  /** Names and addresses that it is reached by; a client has none. */
  readonly hosts: readonly string[];
}

const KEY_BITS = 2048;
/** It is trusted by hand, so that it holds as long as the machines do. */
const VALID_DAYS = 20 * 365;
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

/** Certificates of OPC UA are of RSA, which the site's authority is not; so it signs itself. Made anew only when it ends, or lacks a name. */
export async function ownKeyPair(file: string, facts: CertificateFacts, now: number): Promise<KeyPair> {
  const kept = existsSync(file) ? keyPairOf(readFileSync(file, 'utf8')) : undefined;
  if (kept !== undefined && isGoodFor(kept, facts, now)) return kept;
  const pem = await signedPair(facts, now, kept?.keyPem);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.new`;
  writeFileSync(fresh, pem, { mode: 0o600 });
  renameSync(fresh, file);
  return keyPairOf(pem);
}

/** Kept nowhere. */
export async function passingKeyPair(facts: CertificateFacts, now: number): Promise<KeyPair> {
  return keyPairOf(await signedPair(facts, now, undefined));
}

function isGoodFor({ chain: [own] }: KeyPair, { applicationUri, hosts }: CertificateFacts, now: number): boolean {
  if (own === undefined || own.validToDate.getTime() - RENEW_BEFORE_MS < now) return false;
  const names = new Set((own.subjectAltName ?? '').split(', '));
  const wanted = hosts.map((host) => (isIP(host) === 0 ? `DNS:${host}` : `IP Address:${host}`));
  return [`URI:${applicationUri}`, ...wanted].every((name) => names.has(name));
}

async function signedPair(facts: CertificateFacts, now: number, keyPem: string | undefined): Promise<string> {
  const { commonName, applicationUri, hosts } = facts;
  const key =
    keyPem === undefined ? (await crypto.generateKeyPair(KEY_BITS)).privateKey : await crypto.pemToPrivateKey(keyPem);
  const { cert } = await crypto.createSelfSignedCertificate({
    privateKey: key,
    subject: `/CN=${commonName}/O=Skerry`,
    applicationUri,
    dns: hosts.filter((host) => isIP(host) === 0),
    ip: hosts.filter((host) => isIP(host) !== 0),
    // Clocks at the edge differ.
    notBefore: new Date(now - 24 * 3600 * 1000),
    validity: VALID_DAYS,
    purpose: crypto.CertificatePurpose.ForApplication,
  });
  return `${(await crypto.privateKeyToPEM(key)).privPem}\n${cert}\n`;
}

export function thumbprintOf({ chain: [own] }: KeyPair): string {
  return (own?.fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
}

/** Who is behind a certificate is known by this; peers refuse an application that calls itself otherwise. */
export function applicationUriOf({ chain: [own] }: KeyPair): string | undefined {
  return /URI:([^,\s"]+)/.exec(own?.subjectAltName ?? '')?.[1];
}

/** As a client of the library asks for it. Nothing of it is on disk. */
export function keysOf({ keyPem, chain }: KeyPair): NonNullable<OPCUAClientOptions['certificateKeyPairProvider']> {
  const ders = chain.map(({ raw }) => raw);
  const privateKey = crypto.coercePEMorDerToPrivateKey(keyPem);
  return {
    getCertificate: () => ders[0] ?? Buffer.alloc(0),
    getCertificateChain: () => [...ders],
    getPrivateKey: () => privateKey,
  };
}
