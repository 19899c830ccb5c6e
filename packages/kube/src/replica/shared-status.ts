/** The status of objects that several nodes run: each node tells of itself in its own entry of `onNodes`, and of no other. */

interface SharedStatus {
  readonly nodes?: unknown;
  readonly onNodes: Readonly<Record<string, unknown>>;
}

/** What the cloud has, with what the node says of itself: what it says of others may be old, or not its to say. */
export function statusFrom(node: string, current: unknown, told: unknown): unknown {
  if (!isShared(told)) return told;
  const others = isShared(current) ? current.onNodes : {};
  const { [node]: _own, ...rest } = others;
  const own = told.onNodes[node];
  const nodes = (current as Partial<SharedStatus> | undefined)?.nodes ?? told.nodes;
  return {
    ...told,
    ...(nodes === undefined ? {} : { nodes }),
    onNodes: own === undefined ? rest : { ...rest, [node]: own },
  };
}

function isShared(status: unknown): status is SharedStatus {
  const { onNodes } = (status ?? {}) as Partial<SharedStatus>;
  return typeof onNodes === 'object' && onNodes !== null && !Array.isArray(onNodes);
}
