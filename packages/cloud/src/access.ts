/** Who may do what at this cloud: RBAC from the store's roles, nodes by what concerns them, tokens of living accounts only. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Authenticator, Authorizer, ResourceRow } from '@skerry/api';
import type { Clock } from '@skerry/base';
import { isAtNode } from '@skerry/kube/replica';
import type { AccessHooks, ApiResponse, ExtraPath } from '@skerry/kube/server';
import { formatKey, type Store, type StoreKey } from '@skerry/kube/store';
import type { Certificate, Pki } from '@skerry/security/pki';
import {
  checkBindingEscalation,
  checkRoleEscalation,
  createAuthenticator,
  createNodeAuthorizer,
  createPolicyCache,
  createRbacAuthorizer,
  impersonate,
  mastersAuthorizer,
  type ObjectKey,
  type PolicyCache,
  type RbacAuthorizer,
  reviewRules,
  unionAuthorizer,
} from '@skerry/security/policy';
import {
  createTokenIssuer,
  createTokenVerifier,
  DEFAULT_ISSUER,
  DISCOVERY_PATH,
  discoveryDocument,
  JWKS_PATH,
  jwks,
  keysById,
  reviewToken,
  type ServiceAccountClaims,
  type TokenIssuer,
} from '@skerry/security/tokens';
import { follow, readObject } from './store-reader.ts';

export interface Access {
  readonly authorizer: Authorizer;
  readonly rbac: RbacAuthorizer;
  readonly policy: PolicyCache;
  readonly authenticator: Authenticator;
  readonly tokens: ReturnType<typeof createTokenVerifier>;
  readonly issuer: TokenIssuer;
}

export interface AccessOptions {
  readonly store: Store;
  readonly pki: Pki;
  readonly clock: Clock;
  readonly concerns: (node: string, key: StoreKey) => boolean;
  readonly rows: () => Iterable<ResourceRow>;
  readonly isRevoked: (certificate: Certificate) => boolean;
}

const RBAC = 'rbac.authorization.k8s.io';
const RBAC_RESOURCES = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'];

export function openAccess({ store, pki, clock, concerns, rows, isRevoked }: AccessOptions): Access {
  const policy = createPolicyCache();
  for (const resource of RBAC_RESOURCES) follow(store, RBAC, resource, policy);
  const rbac = createRbacAuthorizer(policy);
  const publicKey: KeyObject = createPublicKey(pki.serviceAccountKey);
  const keys = keysById([publicKey]);
  const tokens = createTokenVerifier({ keys: () => keys, clock, isLive: (claims) => isLive(store, claims) });
  const nodes = createNodeAuthorizer({
    concerns: (node, key) => concerns(node, formatKey(key)),
    isPlaced: (node, key) => isPlaced(store, rows(), node, key),
    isEdgeOrigin: (group, resource) => rowOf(rows(), group, resource)?.origin === 'edge',
    isEdgeWritable: (group, resource) => (rowOf(rows(), group, resource)?.edgeWritable.length ?? 0) > 0,
  });
  return {
    policy,
    rbac,
    authorizer: unionAuthorizer(mastersAuthorizer, nodes, rbac),
    authenticator: createAuthenticator({ authority: pki.authority.certificate, clock, tokens, isRevoked }),
    tokens,
    issuer: createTokenIssuer({ key: pki.serviceAccountKey, clock }),
  };
}

function isPlaced(store: Store, rows: Iterable<ResourceRow>, node: string, key: ObjectKey): boolean {
  const row = rowOf(rows, key.group, key.resource);
  if (row?.nodePath === undefined) return false;
  const object = readObject(store, key);
  return object !== undefined && isAtNode(row, object, node);
}

function rowOf(rows: Iterable<ResourceRow>, group: string, resource: string): ResourceRow | undefined {
  for (const row of rows) if (row.gvr.resource === resource && row.gvr.group === group) return row;
  return undefined;
}

/** What the API server asks beyond yes and no. */
export function accessHooks({ issuer, tokens, rbac, authorizer, policy }: Access): AccessHooks {
  const grants = { rbac, reader: policy, authorizer };
  return {
    checkRole: (write, rules) => checkRoleEscalation(grants, write, rules),
    checkBinding: (write, roleRef) => checkBindingEscalation(grants, write, roleRef),
    issueToken: (grant) => issuer.issue(grant),
    reviewToken: async (token, audiences) => reviewToken(tokens, token, audiences),
    reviewRules: (user, namespace) => reviewRules(rbac, user, namespace),
    impersonate: (user, headers) => impersonate(authorizer, user, headers),
  };
}

/** A token dies with its account, and with the pod or Secret it is bound to. */
function isLive(store: Store, { namespace, serviceAccount, pod, secret }: ServiceAccountClaims): boolean {
  const isThere = (resource: string, bound: { readonly name: string; readonly uid: string } | undefined) =>
    bound === undefined ||
    readObject(store, { group: '', resource, namespace, name: bound.name })?.metadata.uid === bound.uid;
  return isThere('serviceaccounts', serviceAccount) && isThere('pods', pod) && isThere('secrets', secret);
}

/** Where verifiers elsewhere, the edges among them, get the public keys of tokens (OpenID Connect Discovery 1.0). */
export function tokenKeyPaths(pki: Pki, apiAddress: string): readonly ExtraPath[] {
  const keys = jwks([createPublicKey(pki.serviceAccountKey)]);
  const json = (value: object) => (): ApiResponse => ({
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  });
  return [
    { path: JWKS_PATH, handle: json(keys) },
    { path: DISCOVERY_PATH, handle: json(discoveryDocument(DEFAULT_ISSUER, apiAddress)) },
  ];
}
