/** Which of a node's outbox entries have taken effect in the store: the sink notes it, the feed tells the node. */
export interface IncludedEntries {
  note(node: string, seq: number): void;
  /** Undefined for a node of which nothing came since the start. */
  of(node: string): number | undefined;
}

/** One number for each node that sent something: bounded by the nodes there are. */
export function trackIncluded(): IncludedEntries {
  const last = new Map<string, number>();
  return {
    note: (node, seq) => {
      last.set(node, Math.max(seq, last.get(node) ?? 0));
    },
    of: (node) => last.get(node),
  };
}
