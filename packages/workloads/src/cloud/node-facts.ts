/** What a node's status says of it. */
import type { Node } from '@skerry/api/types';

/** Heard of lately: its Ready condition is not Unknown. A node without conditions has not said anything yet. */
export function isReachable(node: Node | undefined): boolean {
  return node !== undefined && readyStatus(node) !== 'Unknown';
}

/** `True`, `False` or `Unknown`; undefined when it never reported. */
function readyStatus({ status }: Node): string | undefined {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status;
}
