/** Rows in memory, found by whatever fields are asked for: an index for each set of fields, made when it is first needed. */
import type { LookupTable } from '../../engine/lookup.ts';
import type { Row, Value } from '../../sql/index.ts';

/** So many sets of fields; a query has one. */
const MAX_INDEXES = 16;

export function indexed(rows: readonly Row[]): LookupTable {
  const indexes = new Map<string, Map<string, Row[]>>();
  return {
    find: (keys) => {
      const names = Object.keys(keys).sort();
      if (names.length === 0) return rows;
      if (Object.values(keys).some((value) => value === undefined || value === null)) return [];
      const set = names.join('\0');
      let index = indexes.get(set);
      if (index === undefined) {
        if (indexes.size >= MAX_INDEXES) indexes.clear();
        index = indexOf(rows, names);
        indexes.set(set, index);
      }
      return index.get(keyOf(keys, names)) ?? [];
    },
  };
}

function indexOf(rows: readonly Row[], names: readonly string[]): Map<string, Row[]> {
  const index = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(row, names);
    const known = index.get(key);
    if (known === undefined) index.set(key, [row]);
    else known.push(row);
  }
  return index;
}

/** The same for values that SQL holds equal. */
export function keyOf(values: Readonly<Record<string, Value>>, names: readonly string[]): string {
  return names.map((name) => textOf(values[name])).join('\0');
}

function textOf(value: Value): string {
  if (typeof value === 'string') return `s${value}`;
  if (typeof value === 'number' || typeof value === 'bigint') return `n${value}`;
  if (value instanceof Date) return `d${value.getTime()}`;
  return `j${JSON.stringify(value) ?? ''}`;
}
