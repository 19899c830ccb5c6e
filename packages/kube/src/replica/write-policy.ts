/** Which writes of its local API an edge decides itself, for the API server over a replica. */
import { isStatus, type StatusError } from '@skerry/api';
import type { PlannedWrite } from '../server/replica-writes.ts';
import { formatKey } from '../store/key.ts';
import { isMadeAtEdge, type LocalWrite, planEdgeWrite } from './edge-write.ts';

/** `forward` is what the cloud has to decide: the same rules as the replica's store, which would refuse it with 503. */
export function edgeWritePolicy(node: string): (write: PlannedWrite) => 'allow' | 'forward' | StatusError {
  return (write) => {
    if (write.subresource !== undefined && write.subresource !== 'status') return 'forward';
    const local = localWriteOf(node, write);
    if (isMadeAtEdge(local)) return 'allow';
    if (write.verb === 'update' && (write.old === undefined || write.object === undefined)) return 'forward';
    // The node makes its own Node, and ends pods that the cloud wants ended; for people that is the cloud's to do.
    if (write.verb !== 'update' && write.user.username !== `system:node:${node}`) return 'forward';
    return isPlannable(local) ? 'allow' : 'forward';
  };
}

function localWriteOf(node: string, { row, namespace = '', name, verb, object, old }: PlannedWrite): LocalWrite {
  const { group, resource } = row.gvr;
  return {
    node,
    row,
    key: formatKey({ group, resource, namespace: row.namespaced ? namespace : '', name }),
    before: old,
    after: verb === 'delete' ? undefined : object,
  };
}

function isPlannable(write: LocalWrite): boolean {
  try {
    planEdgeWrite(write);
    return true;
  } catch (error) {
    if (isStatus(error, 'ServiceUnavailable')) return false;
    throw error;
  }
}
