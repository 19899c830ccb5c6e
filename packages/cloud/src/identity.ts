/** Node identities as resources: join tokens, certificates, revocations and session numbers live in the API like all else. */
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import type { Store } from '@skerry/kube/store';
import type { HubSessionNumbers } from '@skerry/link/node';
import {
  createRevocations,
  fromJoinTokenObject,
  type JoinTokenStore,
  NODE_IDENTITY_KIND,
  type Revocations,
  SECURITY_API_VERSION,
  SECURITY_GROUP,
  toJoinTokenObject,
} from '@skerry/security/identity';
import { type Certificate, fingerprint, issuedAt } from '@skerry/security/pki';
import { follow, readObject } from './store-reader.ts';

const JOIN_TOKENS: Gvr = { group: SECURITY_GROUP, version: 'v1alpha1', resource: 'jointokens' };
const IDENTITIES: Gvr = { group: SECURITY_GROUP, version: 'v1alpha1', resource: 'nodeidentities' };

/** What is revoked, true to the store at every moment. */
export function followRevocations(store: Store): Revocations {
  const revocations = createRevocations();
  follow(store, SECURITY_GROUP, IDENTITIES.resource, {
    put: (object) => revocations.put(object),
    remove: ({ metadata }) => revocations.remove(metadata.name ?? ''),
  });
  return revocations;
}

export function joinTokenStore(client: Client): JoinTokenStore {
  return {
    get: async (id) => {
      try {
        return fromJoinTokenObject(await client.get({ gvr: JOIN_TOKENS, name: id }));
      } catch (error) {
        if (isStatus(error, 'NotFound')) return undefined;
        throw error;
      }
    },
    create: async (record) => {
      await client.create(JOIN_TOKENS, toJoinTokenObject(record));
    },
    compareAndSet: async (record, resourceVersion) => {
      try {
        await client.update(JOIN_TOKENS, toJoinTokenObject(record, resourceVersion), { subresource: 'status' });
        return true;
      } catch (error) {
        if (isStatus(error, 'Conflict', 'NotFound')) return false;
        throw error;
      }
    },
  };
}

export interface NodeIdentities {
  onJoined(node: string): Promise<void>;
  onIssued(node: string, certificate: Certificate): Promise<void>;
  /** The identity was seen in two places. */
  onCopied(node: string): Promise<void>;
  readonly sessionNumbers: HubSessionNumbers;
}

interface IdentityStatus {
  readonly sessionNumber?: number;
}

export interface NodeIdentitiesOptions {
  readonly client: Client;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

export function nodeIdentities({ client, store, clock }: NodeIdentitiesOptions): NodeIdentities {
  const setStatus = async (node: string, status: object): Promise<void> => {
    const ref = { gvr: IDENTITIES, name: node };
    const write = () => client.patch(ref, { status }, { type: 'merge', subresource: 'status' });
    try {
      await write();
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
      await createIdentity(client, node);
      await write();
    }
  };
  const now = () => new Date(clock.now()).toISOString();
  return {
    onJoined: (node) => setStatus(node, { sessionNumber: 0 }),
    onIssued: (node, certificate) =>
      setStatus(node, {
        fingerprint: fingerprint(certificate),
        expirationTimestamp: new Date(certificate.notAfter).toISOString(),
        // As the certificate itself says it: whoever revokes all up to then revokes this one too.
        renewedAt: new Date(issuedAt(certificate)).toISOString(),
      }),
    onCopied: (node) => setStatus(node, { copiedAt: now() }),
    sessionNumbers: {
      load: async (node) => readStatus(store, node).sessionNumber ?? 0,
      store: (node, sessionNumber) => setStatus(node, { sessionNumber }),
    },
  };
}

function readStatus(store: Store, node: string): IdentityStatus {
  const object = readObject(store, { group: SECURITY_GROUP, resource: IDENTITIES.resource, namespace: '', name: node });
  return (object?.['status'] ?? {}) as IdentityStatus;
}

async function createIdentity(client: Client, node: string): Promise<void> {
  const identity: KubeObject = {
    apiVersion: SECURITY_API_VERSION,
    kind: NODE_IDENTITY_KIND,
    metadata: { name: node },
    spec: {},
  };
  try {
    await client.create(IDENTITIES, identity);
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
  }
}
