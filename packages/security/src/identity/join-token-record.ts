/** What the cloud stores of a join token, as the JoinToken resource and as plain facts. */
import type { KubeObject } from '@skerry/api';
import { JOIN_TOKEN_KIND, SECURITY_API_VERSION } from './crds.ts';
import { isPattern } from './join-token.ts';

export interface JoinTokenRecord {
  readonly id: string;
  /** A node's name or a pattern. */
  readonly node: string;
  readonly secretHash: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly usedBy?: string;
  readonly usedAt?: number;
}

export interface StoredJoinToken {
  readonly record: JoinTokenRecord;
  readonly resourceVersion: string;
}

/** The store of join tokens; the cloud backs it with its API. */
export interface JoinTokenStore {
  get(id: string): Promise<StoredJoinToken | undefined>;
  create(record: JoinTokenRecord): Promise<void>;
  /** Writes if the version is still the one that was read. False when another was faster, or the token is gone. */
  compareAndSet(record: JoinTokenRecord, resourceVersion: string): Promise<boolean>;
}

export function toJoinTokenObject(record: JoinTokenRecord, resourceVersion?: string): KubeObject {
  const { usedAt, usedBy } = record;
  return {
    apiVersion: SECURITY_API_VERSION,
    kind: JOIN_TOKEN_KIND,
    metadata: { name: record.id, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    spec: {
      ...(isPattern(record.node) ? { nodeNamePattern: record.node } : { nodeName: record.node }),
      secretHash: record.secretHash,
      expirationTimestamp: new Date(record.expiresAt).toISOString(),
    },
    ...(usedAt === undefined ? {} : { status: { usedBy, usedAt: new Date(usedAt).toISOString() } }),
  };
}

/** Nothing when the object is not a whole JoinToken: such a token admits nobody. */
export function fromJoinTokenObject(object: KubeObject): StoredJoinToken | undefined {
  const spec = (object.spec ?? {}) as Record<string, unknown>;
  const status = (object.status ?? {}) as Record<string, unknown>;
  const node = spec.nodeName ?? spec.nodeNamePattern;
  const expiresAt = Date.parse(String(spec.expirationTimestamp));
  const { name, resourceVersion = '' } = object.metadata;
  if (name === undefined || typeof node !== 'string' || typeof spec.secretHash !== 'string') return undefined;
  if (Number.isNaN(expiresAt)) return undefined;
  const usedAt = status.usedAt === undefined ? undefined : Date.parse(String(status.usedAt));
  const use = usedAt === undefined ? {} : { usedAt, usedBy: String(status.usedBy) };
  return { record: { id: name, node, secretHash: spec.secretHash, expiresAt, ...use }, resourceVersion };
}

/** A store in memory; for tests and for a cloud without an API. */
export function memoryJoinTokenStore(): JoinTokenStore & { delete(id: string): void } {
  const tokens = new Map<string, StoredJoinToken>();
  let version = 0;
  const put = (record: JoinTokenRecord) => tokens.set(record.id, { record, resourceVersion: String(++version) });
  return {
    get: async (id) => tokens.get(id),
    create: async (record) => {
      put(record);
    },
    compareAndSet: async (record, resourceVersion) => {
      if (tokens.get(record.id)?.resourceVersion !== resourceVersion) return false;
      put(record);
      return true;
    },
    delete: (id) => {
      tokens.delete(id);
    },
  };
}
