/** TrustList: whose certificates a protocol accepts at a node, and whose it has refused lately. */
import type { KubeObject } from '@skerry/api';
import { TRUST_LISTS } from './group.ts';
import { definition, integer, list, listBy, object, text, time } from './schema.ts';

export interface TrustList extends KubeObject {
  readonly spec: TrustListSpec;
  readonly status?: TrustListStatus;
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

export interface TrustListStatus {
  readonly rejected?: readonly RejectedCertificate[];
  readonly rejectedCount?: number;
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
export const MAX_REJECTED = 32;

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
  plural: TRUST_LISTS.resource,
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
  status: object('What was refused.', {
    rejectedCount: integer('How often a certificate was refused.'),
    rejected: list(
      'Certificates that were refused lately; copy one to spec.trusted to accept it.',
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
    ),
  }),
  columns: [{ name: 'Rejected', path: '.status.rejectedCount', type: 'integer' }],
});
