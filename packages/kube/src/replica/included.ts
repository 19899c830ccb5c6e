/** Which of a node's outbox entries have taken effect in the store: the sink notes it, the feed tells the node. */
export interface IncludedEntries {
  /** Entries of the node are being written; what they write is published before they are noted. The returned function ends it. */
  begin(node: string): () => void;
  isUnderWay(node: string): boolean;
  /** Everything up to `seq` has its effect; `isSeen` when that shows in what the node holds. */
  note(node: string, seq: number, isSeen: boolean): void;
  /** Undefined for a node of which nothing came since the start. */
  of(node: string): number | undefined;
  /** The last one whose effect shows. */
  lastSeen(node: string): number;
  /** The node begins anew, and so do its numbers. */
  reset(node: string): void;
  /** Calls back after each note; the returned function ends it. */
  follow(node: string, onNote: () => void): () => void;
}

/** Two numbers for each node that sent something: bounded by the nodes there are. */
export function trackIncluded(): IncludedEntries {
  const last = new Map<string, { readonly seq: number; readonly seen: number }>();
  const followers = new Map<string, Set<() => void>>();
  const underWay = new Map<string, number>();
  return {
    begin: (node) => {
      underWay.set(node, (underWay.get(node) ?? 0) + 1);
      return () => {
        const rest = (underWay.get(node) ?? 0) - 1;
        if (rest > 0) underWay.set(node, rest);
        else underWay.delete(node);
      };
    },
    isUnderWay: (node) => underWay.has(node),
    note: (node, seq, isSeen) => {
      const known = last.get(node) ?? { seq: 0, seen: 0 };
      last.set(node, { seq: Math.max(seq, known.seq), seen: isSeen ? Math.max(seq, known.seen) : known.seen });
      for (const follower of followers.get(node) ?? []) follower();
    },
    of: (node) => last.get(node)?.seq,
    lastSeen: (node) => last.get(node)?.seen ?? 0,
    reset: (node) => {
      last.delete(node);
    },
    follow: (node, onNote) => {
      const here = followers.get(node) ?? new Set();
      followers.set(node, here.add(onNote));
      return () => {
        here.delete(onNote);
        if (here.size === 0 && followers.get(node) === here) followers.delete(node);
      };
    },
  };
}
