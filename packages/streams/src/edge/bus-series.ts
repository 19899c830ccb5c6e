/** What a series of the bus is called where series have labels. */
import type { SeriesId, SeriesTable } from '../contract/index.ts';
import { type Labels, STORED_TYPES, type StoredType } from '../store/contract.ts';

export interface BusSeries {
  readonly namespace: string;
  readonly labels: Labels;
  readonly type: StoredType;
}

export function busSeries(table: SeriesTable, id: SeriesId): BusSeries | undefined {
  const facts = table.describe(id);
  if (facts === undefined) return undefined;
  const { namespace, object: device, property, type } = facts;
  return { namespace, labels: { namespace, device, property }, type: storedType(type) };
}

const KNOWN: ReadonlySet<string> = new Set(STORED_TYPES);

/** Lists and structures are JSON. */
function storedType(type: string): StoredType {
  return KNOWN.has(type) ? (type as StoredType) : 'json';
}
