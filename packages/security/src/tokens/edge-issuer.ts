/**
 * Tokens that an edge makes for its own pods while it is cut off: signed with a key of the node's, which the node's identity
 * certifies, and which only this node's local API accepts. The cloud never sees that key, so nothing signed with it opens the cloud.
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Clock } from '@skerry/base';
import {
  createTokenIssuer,
  type IssuedToken,
  type TokenGrant,
  type TokenIssuer,
  type TokenIssuerOptions,
} from './issuer.ts';
import { keyIdOf } from './jws.ts';

/** Says that `publicKey` signs tokens on `node`; signed with the key of the node's certificate. */
export interface KeyStatement {
  readonly node: string;
  /** SubjectPublicKeyInfo as base64. */
  readonly publicKey: string;
  readonly signature: string;
}

export interface EdgeIssuerOptions extends Pick<TokenIssuerOptions, 'issuer' | 'apiAudiences' | 'newId'> {
  readonly node: string;
  /** The node's own identity key. */
  readonly identityKey: KeyObject;
  /** The key that signs tokens; kept by the agent beside its identity. */
  readonly key: KeyObject;
  readonly clock: Clock;
}

export interface EdgeIssuer extends TokenIssuer {
  readonly statement: KeyStatement;
}

/** Tokens of an edge live this long at most: they are renewed on the spot, and die soon after their pod. */
export const MAX_EDGE_TOKEN_SECONDS = 24 * 3600;

const STATEMENT_DOMAIN = 'skerry edge token key 1';
const KEY_ID_PREFIX = 'edge:';

export function createEdgeIssuer(options: EdgeIssuerOptions): EdgeIssuer {
  const { node, identityKey, key } = options;
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64');
  const issuer = createTokenIssuer({ ...options, keyId: KEY_ID_PREFIX + keyIdOf(key) });
  return {
    statement: { node, publicKey, signature: signStatement(identityKey, node, publicKey) },
    issue: (grant: TokenGrant): IssuedToken => {
      const seconds = Math.min(grant.expirationSeconds ?? MAX_EDGE_TOKEN_SECONDS, MAX_EDGE_TOKEN_SECONDS);
      return issuer.issue({ ...grant, expirationSeconds: seconds, node: { ...grant.node, name: node } });
    },
  };
}

/** The token key, by its id, if the statement is this node's and `identity` made it; nothing otherwise. */
export function edgeKeyOf(statement: KeyStatement, node: string, identity: KeyObject): ReadonlyMap<string, KeyObject> {
  const signature = Buffer.from(statement.signature, 'base64');
  const isOurs =
    statement.node === node && verify('sha256', statementBytes(node, statement.publicKey), identity, signature);
  if (!isOurs) return new Map();
  const key = createPublicKey({ key: Buffer.from(statement.publicKey, 'base64'), format: 'der', type: 'spki' });
  return new Map([[KEY_ID_PREFIX + keyIdOf(key), key]]);
}

function signStatement(identityKey: KeyObject, node: string, publicKey: string): string {
  return sign('sha256', statementBytes(node, publicKey), identityKey).toString('base64');
}

function statementBytes(node: string, publicKey: string): Uint8Array {
  return Buffer.from(`${STATEMENT_DOMAIN}\n${node}\n${publicKey}`, 'utf8');
}
