/** How long a pod may go on where nobody can see it: for ever at an edge site, unless it says otherwise. */
import type { Node, Pod } from '@skerry/api/types';

export const EDGE_LABEL = 'skerry.io/edge';
export const AUTONOMY_DURATION = 'skerry.io/autonomy-duration';

/** Milliseconds after which a lost node's pods are given up; 0 is plain Kubernetes. */
export type Autonomy = number;

const UNLIMITED: Autonomy = Number.POSITIVE_INFINITY;

export function isEdge({ metadata }: Node): boolean {
  return metadata.labels?.[EDGE_LABEL] === 'true';
}

/** Only nodes that joined through the link are autonomous; by default without limit. */
export function autonomyOfNode(node: Node): Autonomy {
  return isEdge(node) ? parseAutonomy(node.metadata.annotations?.[AUTONOMY_DURATION]) : 0;
}

/** A pod's own word overrides its node's. */
export function autonomyOfPod(pod: Pod, node: Node): Autonomy {
  const own = pod.metadata.annotations?.[AUTONOMY_DURATION];
  return own === undefined || !isEdge(node) ? autonomyOfNode(node) : parseAutonomy(own);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `5m`, `1h30m`, `0`. What cannot be read gives up nothing. */
export function parseAutonomy(text: string | undefined): Autonomy {
  if (text === undefined) return UNLIMITED;
  const trimmed = text.trim();
  if (/^0+$/.test(trimmed)) return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) return UNLIMITED;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (UNITS[unit ?? ''] ?? 0);
  }
  return total;
}
