/** TrustList: whose certificates are accepted. Whoever uses one says in its own status whose it has refused. */
import type { KubeObject } from '@skerry/api';
import { definition, list, listBy, object, type Schema, text, time } from '@skerry/api/definitions';
import { TRUST_LISTS } from './group.ts';

export interface TrustList extends KubeObject {
  readonly spec: TrustListSpec;
}

export interface NamedPem {
  readonly name: string;
  readonly pem: string;
}

export interface TrustListSpec {
  /** Certificates of applications, or of authorities, that are accepted. */
  readonly trusted?: readonly NamedPem[];
  /** Authorities that a chain may go through; they make nothing trusted by themselves. */
  readonly issuers?: readonly NamedPem[];
  readonly revocationLists?: readonly NamedPem[];
}

export interface RejectedCertificate {
  readonly thumbprint: string;
  readonly subject?: string;
  readonly reason?: string;
  readonly seenAt?: string;
  readonly pem?: string;
}

const MAX_PEM_LENGTH = 32_768;
/** So many of those that were refused are shown, the newest first. */
const MAX_REJECTED = 32;

/** In the status of whatever asks a TrustList. */
export const rejectedCertificates: Schema = list(
  'Certificates that were refused lately; one that is copied to spec.trusted of the TrustList is accepted.',
  object(
    'One certificate.',
    {
      thumbprint: text('SHA-256, hexadecimal.', { maxLength: 128 }),
      subject: text('Whose it is.'),
      reason: text('Why it was refused.', { maxLength: 4096 }),
      seenAt: time('When it was last seen.'),
      pem: text('PEM.', { maxLength: MAX_PEM_LENGTH }),
    },
    ['thumbprint'],
  ),
  MAX_REJECTED,
);

const named = (what: string) =>
  object(
    what,
    {
      name: text('A name for people.', { maxLength: 253 }),
      pem: text('PEM.', { maxLength: MAX_PEM_LENGTH, pattern: '^-----BEGIN ' }),
    },
    ['name', 'pem'],
  );

export const trustListDefinition: KubeObject = definition({
  kind: 'TrustList',
  gvr: TRUST_LISTS,
  description: 'Whose certificates are accepted. Devices, servers and brokers name it.',
  spec: object('The certificates.', {
    trusted: listBy(
      'name',
      'Certificates of applications or authorities that are accepted.',
      named('One certificate.'),
      1024,
    ),
    issuers: listBy('name', 'Authorities that a chain may go through.', named('One certificate.'), 1024),
    revocationLists: listBy('name', 'Lists of what was revoked.', named('One list.'), 256),
  }),
  columns: [],
});
