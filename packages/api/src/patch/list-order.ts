/** The order of a merged list: wanted items in the wanted order, the others beside their old neighbours. */

/** Two items are the same one when their identities are equal. */
export type Identity = (item: unknown) => string;

export interface OrderRequest {
  readonly merged: readonly unknown[];
  /** What the patch names, in its order. */
  readonly wanted: readonly unknown[];
  /** The list before the patch, whose order holds for what the patch does not name. */
  readonly before: readonly unknown[];
  readonly identity: Identity;
}

interface Ranked {
  readonly item: unknown;
  readonly wanted: number;
  readonly before: number;
}

export function orderBy({ merged, wanted, before, identity }: OrderRequest): unknown[] {
  const wantedRanks = ranks(wanted, identity);
  const beforeRanks = ranks(before, identity);
  const ranked = merged.map((item): Ranked => {
    const id = identity(item);
    return { item, wanted: wantedRanks.get(id) ?? -1, before: beforeRanks.get(id) ?? -1 };
  });
  const named = ranked.filter((entry) => entry.wanted >= 0).sort((left, right) => left.wanted - right.wanted);
  const others = ranked.filter((entry) => entry.wanted < 0).sort((left, right) => left.before - right.before);
  return interleave(others, named);
}

/** The first position of each item. */
export function ranks(list: readonly unknown[], identity: Identity): Map<string, number> {
  const positions = new Map<string, number>();
  for (const [index, item] of list.entries()) {
    const id = identity(item);
    if (!positions.has(id)) positions.set(id, index);
  }
  return positions;
}

/** An item of `others` comes before the first item of `named` that it preceded in the old list. */
function interleave(others: readonly Ranked[], named: readonly Ranked[]): unknown[] {
  const result: unknown[] = [];
  let next = 0;
  for (const { item, before } of named) {
    while (next < others.length && before >= 0 && (others[next]?.before ?? 0) < before) {
      result.push(others[next++]?.item);
    }
    result.push(item);
  }
  return [...result, ...others.slice(next).map(({ item }) => item)];
}
