/** What an edge node holds of itself: its key, its certificate, and the cloud it belongs to. One file, mode 0600. */
import { join } from 'node:path';
import { errors } from '../errors.ts';
import {
  type Certificate,
  certificateFromPem,
  isKeyOf,
  isSignedBy,
  privateKeyFromPem,
  readOptionalFile,
  writePrivateFile,
} from '../pki/index.ts';
import { nodeOfCertificate } from './node-profile.ts';

export interface NodeIdentity {
  readonly node: string;
  /** `HOST:PORT` of the cloud's link listeners. */
  readonly addresses: readonly string[];
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
  /** Of the join token it came with, so that another one is known to be meant for joining anew. */
  readonly tokenId?: string;
}

const FILE = 'identity.json';

export function saveIdentity(directory: string, identity: NodeIdentity): void {
  writePrivateFile(join(directory, FILE), `${JSON.stringify(identity, null, 2)}\n`);
}

/** Nothing when the node has not joined yet; an error when the file is there and cannot be used. */
export function loadIdentity(directory: string): NodeIdentity | undefined {
  const file = join(directory, FILE);
  const text = readOptionalFile(file);
  if (text === undefined) return undefined;
  try {
    const identity = JSON.parse(text) as NodeIdentity;
    checkIdentity(identity);
    return identity;
  } catch (cause) {
    throw errors.PKI_UNREADABLE({ file }, { cause });
  }
}

/** The certificate, if it is the node's, of its key, and signed by its cloud. Dates are not looked at: they can be renewed. */
export function checkIdentity({ node, caPem, certificatePem, keyPem, addresses }: NodeIdentity): Certificate {
  const certificate = certificateFromPem(certificatePem);
  const refuse = (reason: string) => errors.CERTIFICATE_REFUSED({ subject: certificate.subject.commonName, reason });
  if (!isSignedBy(certificate, certificateFromPem(caPem))) throw refuse('not signed by the cloud it names');
  if (nodeOfCertificate(certificate) !== node) throw refuse(`not of node ${node}`);
  if (!isKeyOf(privateKeyFromPem(keyPem), certificate)) throw refuse('of another key');
  if (!Array.isArray(addresses)) throw refuse('without addresses');
  return certificate;
}
