/** Who may do what at this cloud: RBAC from the store's roles, nodes by what concerns them, tokens of living accounts only. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Authenticator, Authorizer } from '@skerry/api';
import type { Clock } from '@skerry/base';
import type { Store } from '@skerry/kube/store';
import type { Certificate, Pki } from '@skerry/security/pki';
import {
  createAuthenticator,
  createNodeAuthorizer,
  createPolicyCache,
  createRbacAuthorizer,
  mastersAuthorizer,
  type NodeAuthorizerOptions,
  type PolicyCache,
  type RbacAuthorizer,
  unionAuthorizer,
} from '@skerry/security/policy';
import {
  createTokenIssuer,
  createTokenVerifier,
  keysById,
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
  readonly concerns: NodeAuthorizerOptions['concerns'];
  readonly isEdgeOrigin: (group: string, resource: string) => boolean;
  readonly isRevoked: (certificate: Certificate) => boolean;
}

const RBAC = 'rbac.authorization.k8s.io';
const RBAC_RESOURCES = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'];

export function openAccess({ store, pki, clock, concerns, isEdgeOrigin, isRevoked }: AccessOptions): Access {
  const policy = createPolicyCache();
  for (const resource of RBAC_RESOURCES) follow(store, RBAC, resource, policy);
  const rbac = createRbacAuthorizer(policy);
  const publicKey: KeyObject = createPublicKey(pki.serviceAccountKey);
  const keys = keysById([publicKey]);
  const tokens = createTokenVerifier({ keys: () => keys, clock, isLive: (claims) => isLive(store, claims) });
  return {
    policy,
    rbac,
    authorizer: unionAuthorizer(mastersAuthorizer, createNodeAuthorizer({ concerns, isEdgeOrigin }), rbac),
    authenticator: createAuthenticator({ authority: pki.authority.certificate, clock, tokens, isRevoked }),
    tokens,
    issuer: createTokenIssuer({ key: pki.serviceAccountKey, clock }),
  };
}

/** A token dies with its account, and with the pod or Secret it is bound to. */
function isLive(store: Store, { namespace, serviceAccount, pod, secret }: ServiceAccountClaims): boolean {
  const isThere = (resource: string, bound: { readonly name: string; readonly uid: string } | undefined) =>
    bound === undefined ||
    readObject(store, { group: '', resource, namespace, name: bound.name })?.metadata.uid === bound.uid;
  return isThere('serviceaccounts', serviceAccount) && isThere('pods', pod) && isThere('secrets', secret);
}
