/** Which node certificates are revoked: a synchronous cache of NodeIdentity objects. */
import type { KubeObject } from '@skerry/api';
import { type Certificate, issuedAt } from '../pki/index.ts';
import { NODE_IDENTITY_KIND } from './crds.ts';
import { nodeOfCertificate } from './node-profile.ts';

export interface Revocations {
  /** Takes a NodeIdentity as an informer reports it. */
  put(object: KubeObject): void;
  remove(node: string): void;
  /** All certificates of the node that were issued up to `before` are revoked. */
  revoke(node: string, before: number): void;
  isRevoked(certificate: Pick<Certificate, 'serial' | 'names' | 'subject'>): boolean;
  /** Milliseconds; 0 when nothing of the node is revoked. */
  revokedBefore(node: string): number;
  /** Calls back with each node that was revoked just now; the returned function unsubscribes. */
  onRevoked(callback: (node: string) => void): () => void;
}

export function createRevocations(): Revocations {
  const before = new Map<string, number>();
  const listeners = new Set<(node: string) => void>();
  const revoke = (node: string, time: number): void => {
    if (!(time > (before.get(node) ?? 0))) return;
    before.set(node, time);
    for (const listener of listeners) listener(node);
  };
  return {
    put: ({ kind, metadata, spec }) => {
      if (kind !== NODE_IDENTITY_KIND || !metadata.name) return;
      const time = Date.parse(String((spec as { revokedBefore?: unknown } | undefined)?.revokedBefore));
      if (Number.isNaN(time)) before.delete(metadata.name);
      else revoke(metadata.name, time);
    },
    remove: (node) => {
      before.delete(node);
    },
    revoke,
    isRevoked: (certificate) => {
      const node = nodeOfCertificate(certificate);
      return node !== undefined && issuedAt(certificate) <= (before.get(node) ?? 0);
    },
    revokedBefore: (node) => before.get(node) ?? 0,
    onRevoked: (callback) => {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
  };
}
