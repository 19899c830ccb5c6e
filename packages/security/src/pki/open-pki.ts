/** The identity files of one API server: made on first start, renewed when their end is near, reissued when names change. */
import type { KeyObject } from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@skerry/base';
import { errors } from '../errors.ts';
import { type Certificate, certificateFromPem, certificateToPem, fingerprint } from './certificate.ts';
import {
  type Authority,
  BACKDATE_MS,
  type Credential,
  clientProfile,
  createAuthority,
  isKeyOf,
  issueCredential,
  issuedAt,
  newPrivateKey,
  type Profile,
  privateKeyFromPem,
  privateKeyToPem,
  serverProfile,
  validFor,
  YEAR_MS,
} from './issue.ts';
import { splitHostNames } from './names.ts';
import { readOptionalFile, writePrivateFile } from './private-file.ts';
import { isSignedBy } from './verify.ts';

export interface PkiOptions {
  readonly clock: Clock;
  /** DNS names and addresses under which clients reach the server, besides loopback and the in-cluster names. */
  readonly names: readonly string[];
  /** Serving certificates that verify whatever the client's clock says: an edge's local API. */
  readonly anyClock?: boolean;
}

export interface Pki {
  readonly authority: Authority;
  /** PEM of the CA, as clients get it. */
  readonly caPem: string;
  readonly caFingerprint: string;
  /** The API server's. */
  readonly serving: Credential;
  /** The link listener's: good whatever the node's clock says. */
  readonly link: Credential;
  /** A client of group system:masters. */
  readonly admin: Credential;
  /** Signs service account tokens. */
  readonly serviceAccountKey: KeyObject;
  /** Reissues what is near its end; the credentials above are new afterwards. True when something changed. */
  refresh(): boolean;
}

const CREDENTIAL_LIFE_MS = YEAR_MS;
/** A credential is renewed when less than this part of its life is left. */
const RENEW_AT_FRACTION = 1 / 3;

const BUILT_IN_NAMES = [
  'localhost',
  '127.0.0.1',
  '::1',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

/** Opens the directory, making what is missing. Every file in it has mode 0600. */
export function openPki(directory: string, options: PkiOptions): Pki {
  const { clock } = options;
  const authority = openAuthority(directory, clock);
  const names = splitHostNames([...options.names, ...BUILT_IN_NAMES]);
  const wanted = (): Record<'serving' | 'link' | 'admin', Profile> => {
    const dated = validFor(clock.now(), CREDENTIAL_LIFE_MS);
    const anyClock = { notBefore: 0, notAfter: authority.certificate.notAfter };
    return {
      serving: serverProfile({ names, validity: options.anyClock ? anyClock : dated }),
      link: serverProfile({ names, organizations: ['system:link'], validity: anyClock }),
      admin: clientProfile('kubernetes-admin', ['system:masters'], dated),
    };
  };
  const open = () => {
    const profiles = wanted();
    return {
      serving: openCredential(directory, 'apiserver', authority, profiles.serving, clock),
      link: openCredential(directory, 'link', authority, profiles.link, clock),
      admin: openCredential(directory, 'admin', authority, profiles.admin, clock),
    };
  };
  let current = open();
  return {
    authority,
    caPem: certificateToPem(authority.certificate),
    caFingerprint: fingerprint(authority.certificate),
    serviceAccountKey: openKey(join(directory, 'sa.key')),
    get serving() {
      return current.serving;
    },
    get link() {
      return current.link;
    },
    get admin() {
      return current.admin;
    },
    refresh: () => {
      const before = current;
      current = open();
      return (['serving', 'link', 'admin'] as const).some(
        (role) => before[role].certificate.serial !== current[role].certificate.serial,
      );
    },
  };
}

function openAuthority(directory: string, clock: Clock): Authority {
  const certificateFile = join(directory, 'ca.crt');
  const key = openKey(join(directory, 'ca.key'));
  const stored = readOptionalFile(certificateFile);
  if (stored !== undefined) {
    const certificate = certificateFromPem(stored);
    // Never replaced in silence: every node has pinned this certificate.
    if (!isKeyOf(key, certificate)) throw errors.KEY_MISMATCH({ file: join(directory, 'ca.key') });
    return { certificate, key };
  }
  const authority = createAuthority({ now: clock.now() }, { key });
  writePrivateFile(certificateFile, certificateToPem(authority.certificate));
  return authority;
}

function openKey(file: string): KeyObject {
  const stored = readOptionalFile(file);
  if (stored !== undefined) {
    tighten(file);
    return privateKeyFromPem(stored);
  }
  const key = newPrivateKey();
  writePrivateFile(file, privateKeyToPem(key));
  return key;
}

/** A restored or copied key may have become readable to others. */
function tighten(file: string): void {
  if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
}

function openCredential(
  directory: string,
  name: string,
  authority: Authority,
  profile: Profile,
  clock: Clock,
): Credential {
  const file = join(directory, `${name}.pem`);
  const stored = readCredential(file);
  if (stored && isStillWanted(stored, authority, profile, clock.now())) return stored;
  const issued = issueCredential(authority, profile, { now: clock.now() });
  // One file for both, so that a crash never leaves a certificate beside another's key.
  writePrivateFile(file, certificateToPem(issued.certificate) + privateKeyToPem(issued.key));
  return issued;
}

function readCredential(file: string): Credential | undefined {
  const text = readOptionalFile(file);
  if (text === undefined) return undefined;
  try {
    const credential = { certificate: certificateFromPem(text), key: privateKeyFromPem(text) };
    tighten(file);
    return isKeyOf(credential.key, credential.certificate) ? credential : undefined;
  } catch {
    return undefined;
  }
}

function isStillWanted({ certificate }: Credential, authority: Authority, profile: Profile, now: number): boolean {
  const issued = issuedAt(certificate);
  const life = certificate.notAfter - issued;
  return (
    isSignedBy(certificate, authority.certificate) &&
    sameNames(certificate, profile) &&
    now >= issued - BACKDATE_MS &&
    certificate.notAfter - now > life * RENEW_AT_FRACTION
  );
}

function sameNames(certificate: Certificate, profile: Profile): boolean {
  const text = (names: Profile['names'], subject: Profile['subject']) =>
    JSON.stringify([sorted(names?.dns), sorted(names?.ips), sorted(names?.uris), subject]);
  return text(certificate.names, certificate.subject) === text(profile.names, profile.subject);
}

function sorted(names: readonly string[] = []): readonly string[] {
  return [...names].sort();
}
