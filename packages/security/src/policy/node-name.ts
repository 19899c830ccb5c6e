/** How a node is called as a user (Kubernetes), and the one place that reads the name back. */
import type { UserInfo } from '@skerry/api';

export const NODES_GROUP = 'system:nodes';

const PREFIX = 'system:node:';

export function nodeUserName(node: string): string {
  return PREFIX + node;
}

/** The node that this user is; nothing for everyone else. Both name and group must say so. */
export function nodeOf({ username, groups }: UserInfo): string | undefined {
  if (!username.startsWith(PREFIX) || !groups.includes(NODES_GROUP)) return undefined;
  const node = username.slice(PREFIX.length);
  return node === '' ? undefined : node;
}
