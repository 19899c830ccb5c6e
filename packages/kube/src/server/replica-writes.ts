/** At an edge the store is a replica: each write is judged, and what is not the edge's to write goes to the cloud. */
import type { KubeObject, ResourceRow, StatusError, UserInfo } from '@skerry/api';
import type { ApiRequest, ApiResponse } from './contract.ts';
import type { Call, Engine } from './engine.ts';

export interface PlannedWrite {
  readonly verb: 'create' | 'update' | 'delete';
  readonly row: ResourceRow;
  readonly namespace?: string;
  readonly name: string;
  readonly subresource?: string;
  readonly user: UserInfo;
  /** As it would be stored; absent for a delete, and where the replica does not hold what is to be changed. */
  readonly object?: KubeObject;
  /** What the replica holds. */
  readonly old?: KubeObject;
}

export interface ReplicaHooks {
  /** `allow`: the replica's store takes it. `forward`: the cloud decides. A StatusError refuses. */
  readonly writePolicy: (write: PlannedWrite) => 'allow' | 'forward' | StatusError;
  /** Has the cloud answer a request, in the name of its user. */
  readonly forward: (request: ApiRequest) => Promise<ApiResponse>;
}

/** Thrown to leave a write to the cloud; caught where the request came in. */
export class ForwardedWrite extends Error {
  override readonly name = 'ForwardedWrite';
}

/** Throws unless the write may go on here. Without hooks the store is the truth, and every write is its own. */
export function checkWrite(
  { replica }: Pick<Engine, 'replica'>,
  { kind, route, user }: Call,
  write: Pick<PlannedWrite, 'verb' | 'object' | 'old'>,
): void {
  if (replica === undefined) return;
  const { namespace, subresource } = route;
  const name = route.name ?? write.object?.metadata.name ?? '';
  const decision = replica.writePolicy({
    ...write,
    row: kind.row,
    name,
    user,
    ...(namespace === undefined ? {} : { namespace }),
    ...(subresource === undefined ? {} : { subresource }),
  });
  if (decision === 'allow') return;
  throw decision === 'forward' ? new ForwardedWrite() : decision;
}
