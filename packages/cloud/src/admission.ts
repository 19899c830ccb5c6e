/** What this cloud asks of writes beyond what every API server does. */

import { StatusError } from '@skerry/api';
import type { AdmissionStep } from '@skerry/kube/server';
import { type NodeWrite, nodeRestriction } from '@skerry/security/policy';
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
    if (why === undefined) return;
    const what = group === '' ? resource : `${resource}.${group}`;
    throw new StatusError(403, 'Forbidden', `${what} "${name}" is forbidden: ${why}`, {
      name,
      kind: resource,
      ...(group === '' ? {} : { group }),
    });
  },
};
