/** Whether a pod may be sent traffic: what its status says of it. */
import type { Pod } from '@skerry/api/types';

export function isTerminating({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined;
}

export function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

export function isReady({ status }: Pod): boolean {
  return readyCondition(status)?.status === 'True';
}

export function readyCondition(status: Pod['status']) {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}
