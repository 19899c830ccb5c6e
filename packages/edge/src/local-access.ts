/** Who may do what at the node's own API: its administrator, and the pods' accounts by the roles that the replica holds. */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authenticator, Authorizer, KubeObject } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { AccessHooks } from '@skerry/kube/server';
import { type Change, formatKey, keyPrefix, type Store } from '@skerry/kube/store';
import { newPrivateKey, type Pki, privateKeyToPem, writePrivateFile } from '@skerry/security/pki';
import {
  createAuthenticator,
  createPolicyCache,
  createRbacAuthorizer,
  mastersAuthorizer,
  reviewRules,
  unionAuthorizer,
} from '@skerry/security/policy';
import {
  createEdgeIssuer,
  createTokenVerifier,
  type EdgeIssuer,
  edgeKeyOf,
  keyIdOf,
  reviewToken,
  type ServiceAccountClaims,
} from '@skerry/security/tokens';
import { DATA_WORKER } from './worker-access.ts';

const RBAC = 'rbac.authorization.k8s.io';
const RBAC_RESOURCES = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'];

export interface LocalAccessOptions {
  readonly node: string;
  readonly store: Store;
  readonly pki: Pki;
  /** Keeps the key of the node's own tokens, and the cloud's public keys. */
  readonly directory: string;
  readonly identityKey: KeyObject;
  /** What the data worker shows, and what it may do with it. */
  readonly worker: { readonly token: string; readonly authorizer: Authorizer };
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LocalAccess {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly hooks: AccessHooks;
  readonly issuer: EdgeIssuer;
  /** Takes the cloud's key set (RFC 7517) as it was fetched, and keeps it for the time without the cloud. */
  setCloudKeys(jwks: string): void;
}

export function openLocalAccess(options: LocalAccessOptions): LocalAccess {
  const { store, pki, worker, clock } = options;
  const policy = createPolicyCache();
  for (const resource of RBAC_RESOURCES) followPolicy(store, resource, policy);
  const rbac = createRbacAuthorizer(policy);
  const authorizer = unionAuthorizer(mastersAuthorizer, rbac, worker.authorizer);
  const issuer = openIssuer(options);
  const own = edgeKeyOf(issuer.statement, options.node, createPublicKey(options.identityKey));
  const cloud = cloudKeys(options);
  const tokens = createTokenVerifier({
    keys: () => new Map([...cloud.current(), ...own]),
    clock,
    isLive: (claims) => isLive(store, claims),
  });
  return {
    authenticator: createAuthenticator({
      authority: pki.authority.certificate,
      clock,
      tokens,
      staticTokens: new Map([[worker.token, DATA_WORKER]]),
    }),
    authorizer,
    issuer,
    setCloudKeys: (jwks) => cloud.set(jwks),
    hooks: {
      issueToken: (grant) => issuer.issue(grant),
      reviewToken: async (token, audiences) => reviewToken(tokens, token, audiences),
      reviewRules: (user, namespace) => reviewRules(rbac, user, namespace),
    },
  };
}

function followPolicy(store: Store, resource: string, policy: ReturnType<typeof createPolicyCache>): void {
  const prefix = keyPrefix(RBAC, resource);
  const { items, revision } = store.list(prefix);
  for (const { json } of items) policy.put(JSON.parse(json) as KubeObject);
  store.subscribe(prefix, revision, (changes: readonly Change[]) => {
    for (const change of changes) {
      if (change.type === 'put') policy.put(JSON.parse(change.object.json) as KubeObject);
      else policy.remove(JSON.parse(change.previous.json) as KubeObject);
    }
  });
}

function openIssuer({ node, directory, identityKey, clock, log }: LocalAccessOptions): EdgeIssuer {
  const file = join(directory, 'token.key');
  return createEdgeIssuer({ node, identityKey, clock, key: readTokenKey(file, log) ?? makeTokenKey(file) });
}

/** Nothing when there is none, or none that can be read: tokens signed with it are made anew, as they are every hour. */
function readTokenKey(file: string, log: Logger): KeyObject | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return createPrivateKey(readFileSync(file));
  } catch (error) {
    log.error({ file, error: messageOf(error) }, 'the key of this node’s tokens is damaged; it makes a new one');
    return undefined;
  }
}

function makeTokenKey(file: string): KeyObject {
  const key = newPrivateKey();
  writePrivateFile(file, privateKeyToPem(key));
  return key;
}

interface CloudKeys {
  current(): ReadonlyMap<string, KeyObject>;
  set(jwks: string): void;
}

function cloudKeys({ directory, log }: LocalAccessOptions): CloudKeys {
  const file = join(directory, 'cloud-keys.json');
  let keys: ReadonlyMap<string, KeyObject> = new Map();
  const read = (text: string) => {
    const parsed = JSON.parse(text) as { readonly keys?: readonly JsonWebKey[] };
    keys = new Map(
      (parsed.keys ?? []).map((jwk) => createPublicKey({ key: jwk, format: 'jwk' })).map((key) => [keyIdOf(key), key]),
    );
  };
  try {
    if (existsSync(file)) read(readFileSync(file, 'utf8'));
  } catch (error) {
    log.warn({ file, error: messageOf(error) }, 'the cloud’s keys cannot be read; they come anew with the link');
  }
  return {
    current: () => keys,
    set: (jwks) => {
      read(jwks);
      writePrivateFile(file, jwks);
    },
  };
}

/** A token dies with its account and its pod, here as in the cloud. */
function isLive(store: Store, { namespace, serviceAccount, pod }: ServiceAccountClaims): boolean {
  const isThere = (resource: string, bound: { readonly name: string; readonly uid: string } | undefined) => {
    if (bound === undefined) return true;
    const stored = store.get(formatKey({ group: '', resource, namespace, name: bound.name }));
    return stored !== undefined && (JSON.parse(stored.json) as KubeObject).metadata.uid === bound.uid;
  };
  return isThere('serviceaccounts', serviceAccount) && isThere('pods', pod);
}
