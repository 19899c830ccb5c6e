/** Rules that read each other belong together: what one knows is of the same moment as what the other does. */

export interface Connectable {
  readonly key: string;
  /** Keys of rules whose results it reads. */
  readonly reads: readonly string[];
}

/** Each rule in one group, with all that it is connected with, however far. */
export function connected<Rule extends Connectable>(rules: Iterable<Rule>): readonly (readonly Rule[])[] {
  const groups = new Map<string, Rule[]>();
  for (const rule of rules) groups.set(rule.key, [rule]);
  for (const rule of [...groups.values()].flat()) {
    for (const read of rule.reads) {
      const [one, other] = [groups.get(rule.key), groups.get(read)];
      if (one === undefined || other === undefined || one === other) continue;
      one.push(...other);
      for (const { key } of other) groups.set(key, one);
    }
  }
  return [...new Set(groups.values())];
}
