/** The kinds of `security.skerry.io`, as CustomResourceDefinitions that the cloud installs. */
import type { KubeObject } from '@skerry/api';

export const SECURITY_GROUP = 'security.skerry.io';
export const SECURITY_API_VERSION = `${SECURITY_GROUP}/v1alpha1`;
export const JOIN_TOKEN_KIND = 'JoinToken';
export const NODE_IDENTITY_KIND = 'NodeIdentity';

const text = (description: string, limits: object = {}) => ({ type: 'string', description, ...limits });
const dateTime = (description: string) => text(description, { format: 'date-time' });

/** Cluster-scoped both: a token and an identity belong to a node, which has no namespace. */
export function securityCrds(): readonly KubeObject[] {
  return [
    crd(JOIN_TOKEN_KIND, 'jointokens', {
      description: 'Lets one node join once. Only the hash of its secret is kept; deleting it revokes it.',
      spec: {
        type: 'object',
        required: ['secretHash', 'expirationTimestamp'],
        properties: {
          nodeName: text('The only node that may use the token.', { maxLength: 253 }),
          nodeNamePattern: text('Names that may use the token; * stands for any characters.', { maxLength: 253 }),
          secretHash: text('Hash of the secret.', { pattern: '^sha256:[0-9a-f]{64}$' }),
          expirationTimestamp: dateTime('From then on the token admits nobody.'),
        },
      },
      status: {
        type: 'object',
        properties: { usedBy: text('The node that joined with it.'), usedAt: dateTime('When it was used.') },
      },
      columns: [
        { name: 'Node', type: 'string', jsonPath: '.spec.nodeName' },
        { name: 'Pattern', type: 'string', jsonPath: '.spec.nodeNamePattern' },
        // A date column tells how long ago; these are still to come.
        { name: 'Expires', type: 'string', jsonPath: '.spec.expirationTimestamp' },
        { name: 'Used by', type: 'string', jsonPath: '.status.usedBy' },
      ],
    }),
    crd(NODE_IDENTITY_KIND, 'nodeidentities', {
      description: 'What the cloud knows of a node’s certificates. Its name is the name of the node.',
      spec: {
        type: 'object',
        properties: {
          revokedBefore: dateTime('Certificates issued up to then are refused, and sessions with them are closed.'),
          reason: text('Why they were revoked.', { maxLength: 1024 }),
        },
      },
      status: {
        type: 'object',
        properties: {
          fingerprint: text('SHA-256 of the newest certificate.'),
          expirationTimestamp: dateTime('When the newest certificate ends.'),
          renewedAt: dateTime('When it was issued.'),
          sessionNumber: {
            type: 'integer',
            format: 'int64',
            minimum: 0,
            description: 'The number of its newest link session.',
          },
          copiedAt: dateTime('When the identity was last seen in two places at once.'),
        },
      },
      columns: [
        { name: 'Expires', type: 'string', jsonPath: '.status.expirationTimestamp' },
        { name: 'Revoked', type: 'date', jsonPath: '.spec.revokedBefore' },
      ],
    }),
  ];
}

interface CrdParts {
  readonly description: string;
  readonly spec: object;
  readonly status: object;
  readonly columns: readonly object[];
}

function crd(kind: string, plural: string, { description, spec, status, columns }: CrdParts): KubeObject {
  const singular = kind.toLowerCase();
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${SECURITY_GROUP}` },
    spec: {
      group: SECURITY_GROUP,
      names: { kind, listKind: `${kind}List`, plural, singular, categories: ['skerry'] },
      scope: 'Cluster',
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', description, properties: { spec, status } } },
          subresources: { status: {} },
          additionalPrinterColumns: [
            ...columns,
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  };
}
