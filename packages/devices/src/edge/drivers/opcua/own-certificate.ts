/** Who this node is towards servers: one certificate for all its connections, kept on its disk. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { crypto_utils as crypto, type OPCUAClientOptions } from 'node-opcua-client';
import type { DriverHome } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';

type KeyPair = NonNullable<OPCUAClientOptions['certificateKeyPairProvider']>;

export interface OwnCertificate {
  readonly applicationUri: string;
  readonly chain: readonly Buffer[];
  readonly keys: KeyPair;
}

type Secret = Readonly<Record<string, Uint8Array>>;

/** `application.crt` and `application.key` of the Secret, where a site gives out certificates itself. */
export function certificateInSecret(secret: Secret): OwnCertificate | undefined {
  const [certificate, key] = [secret['application.crt'], secret['application.key']];
  if (certificate === undefined || key === undefined) return undefined;
  return certificateFrom(new TextDecoder().decode(certificate), new TextDecoder().decode(key));
}

/** That of the node: made when there is none, or when it has expired. */
export async function certificateOfNode({ node, folder }: DriverHome, now: number): Promise<OwnCertificate> {
  const file = join(folder, 'application.pem');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  const known = kept === undefined ? undefined : certificateFrom(kept, kept);
  if (known !== undefined && !hasExpired(known, now)) return known;
  const pem = await makeCertificate(node);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Whole or not at all: half a key would be of no use for ever.
  await writeFile(`${file}.new`, pem, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return certificateFrom(pem, pem);
}

/** Kept nowhere. */
export async function passingCertificate(): Promise<OwnCertificate> {
  const pem = await makeCertificate('passing');
  return certificateFrom(pem, pem);
}

function hasExpired({ chain: [own] }: OwnCertificate, now: number): boolean {
  return own === undefined || new X509Certificate(own).validToDate.getTime() <= now;
}

/** Servers are told by hand to trust it, so that it holds as long as the machines do. */
const VALIDITY_DAYS = 20 * 365;
const KEY_BITS = 2048;

async function makeCertificate(node: string): Promise<string> {
  const { privateKey } = await crypto.generateKeyPair(KEY_BITS);
  const { cert } = await crypto.createSelfSignedCertificate({
    privateKey,
    notBefore: new Date(),
    validity: VALIDITY_DAYS,
    subject: `CN=Skerry ${node}`,
    dns: [hostname()],
    applicationUri: uriOf(node),
    purpose: crypto.CertificatePurpose.ForApplication,
  });
  return `${cert}\n${await crypto.privateKeyToPEM(privateKey).then(({ privPem }) => privPem)}\n`;
}

function uriOf(node: string): string {
  return `urn:skerry:${node}:opcua`;
}

function certificateFrom(certificates: string, keyPem: string): OwnCertificate {
  try {
    const pems = certificates.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    const chain = pems.map((pem) => new X509Certificate(pem).raw);
    const [key = ''] = keyPem.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/) ?? [];
    const [own] = chain;
    if (own === undefined) throw new TypeError('there is no certificate');
    const hidden = createPrivateKey(key);
    if (!new X509Certificate(own).checkPrivateKey(hidden)) throw new TypeError('the key is of another certificate');
    return { applicationUri: uriIn(own), chain, keys: keyPair(chain, hidden.export({ type: 'pkcs8', format: 'pem' })) };
  } catch (cause) {
    throw new DriverError('Misconfigured', `the application's own certificate: ${(cause as Error).message}`, { cause });
  }
}

/** Servers refuse an application whose name is not the one in its certificate. */
function uriIn(certificate: Buffer): string {
  const names = new X509Certificate(certificate).subjectAltName ?? '';
  return /URI:([^,\s"]+)/.exec(names)?.[1] ?? 'urn:skerry:opcua';
}

function keyPair(chain: readonly Buffer[], pem: string | Buffer): KeyPair {
  const privateKey = crypto.coercePEMorDerToPrivateKey(String(pem));
  return {
    getCertificate: () => chain[0] ?? Buffer.alloc(0),
    getCertificateChain: () => [...chain],
    getPrivateKey: () => privateKey,
  };
}
