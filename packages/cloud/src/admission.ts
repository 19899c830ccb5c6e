/** What this cloud asks of writes beyond what every API server does. */

import { type Gvr, type KubeObject, StatusError } from '@skerry/api';
import { foreignField } from '@skerry/kube/replica';
import type { AdmissionStep } from '@skerry/kube/server';
import { formatKey } from '@skerry/kube/store';
import { NODE_IDENTITY_KIND, SECURITY_GROUP } from '@skerry/security/identity';
import { type NodeWrite, nodeOf, nodeRestriction } from '@skerry/security/policy';
import { readObject } from './store-reader.ts';

const VERBS = { CREATE: 'create', UPDATE: 'update', DELETE: 'delete' } as const;

/**
 * A node's writes, looked at once more by the policy that also knows what the link is for: a mirror pod that names a Secret
 * anywhere would make that Secret concern the node.
 */
export const nodeRestrictionStep: AdmissionStep = {
  name: 'SkerryNodeRestriction',
  admit: ({ store }, { operation, kind, user, namespace, name, subresource, object, old }) => {
    const { group, resource } = kind.row.gvr;
    const write: NodeWrite = {
      user,
      verb: VERBS[operation],
      group,
      resource,
      name,
      ...(subresource === undefined ? {} : { subresource }),
      ...(kind.row.namespaced ? { namespace } : {}),
      ...(operation === 'DELETE' ? { old: object } : { object }),
      ...(old === undefined ? {} : { old }),
    };
    const getPod = (inNamespace: string, pod: string) =>
      readObject(store, { group: '', resource: 'pods', namespace: inNamespace, name: pod });
    const why = nodeRestriction(write, { getPod });
    if (why !== undefined) throw forbidden(kind.row.gvr, name, why);
  },
};

/**
 * Of a kind with fields for the edge, a node writes those fields and no others: the same judgement that its own replica makes,
 * which a node that was taken over would not.
 */
export const edgeFieldsStep: AdmissionStep = {
  name: 'SkerryEdgeFields',
  admit: (_engine, { operation, kind: { row }, user, namespace, name, subresource, object, old }) => {
    const node = nodeOf(user);
    if (node === undefined || operation !== 'UPDATE' || subresource !== undefined || old === undefined) return;
    if (row.edgeWritable.length === 0 || row.origin === 'edge') return;
    const { group, resource } = row.gvr;
    const key = formatKey({ group, resource, namespace: row.namespaced ? namespace : '', name });
    if (foreignField({ node, row, key, before: old, after: object }) === undefined) return;
    throw forbidden(row.gvr, name, `node "${node}" may only write ${row.edgeWritable.join(', ')}`);
  },
};

/**
 * A revocation is for good: without its mark, certificates that were stolen with the node would count again.
 * A node that joins anew needs no mark taken away, for its certificate is later than the mark.
 */
export const revocationStep: AdmissionStep = {
  name: 'SkerryRevocation',
  admit: (_engine, { operation, kind, name, object, old }) => {
    const { gvr, gvk } = kind.row;
    if (gvr.group !== SECURITY_GROUP || gvk.kind !== NODE_IDENTITY_KIND || operation === 'CREATE') return;
    const before = revokedBefore(operation === 'DELETE' ? object : old);
    const after = operation === 'DELETE' ? 0 : revokedBefore(object);
    if (after >= before) return;
    const what = operation === 'DELETE' ? 'a revoked identity cannot be deleted' : 'spec.revokedBefore cannot go back';
    const command = `skerry token create --node ${name}`;
    throw forbidden(gvr, name, `${what}; to let the node in again, join it anew with a new token ('${command}')`);
  },
};

/** Milliseconds; 0 when nothing is revoked. */
function revokedBefore(object: KubeObject | undefined): number {
  const { revokedBefore: time } = (object?.['spec'] ?? {}) as { readonly revokedBefore?: unknown };
  return typeof time === 'string' ? Date.parse(time) || 0 : 0;
}

function forbidden({ group, resource }: Gvr, name: string, why: string): StatusError {
  const what = group === '' ? resource : `${resource}.${group}`;
  return new StatusError(403, 'Forbidden', `${what} "${name}" is forbidden: ${why}`, {
    name,
    kind: resource,
    ...(group === '' ? {} : { group }),
  });
}
