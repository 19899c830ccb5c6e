/** The built-in kinds as the server serves them. Schemas are made when a kind is first used: a cold server holds none. */
import type { ResourceRow } from '@skerry/api';
import { builtinRows, schemaFor } from '@skerry/api/facts';
import type { ServedKind } from './resource-table.ts';

// Other shapes of objects that are served elsewhere; to serve them takes a conversion, not a row.
const NEEDS_CONVERSION = new Set(['autoscaling/v1/horizontalpodautoscalers', 'events.k8s.io/v1/events']);

export function builtinKinds(rows: readonly ResourceRow[] = builtinRows()): ServedKind[] {
  return rows
    .filter(({ gvr }) => !NEEDS_CONVERSION.has(`${gvr.group}/${gvr.version}/${gvr.resource}`))
    .map(builtinKind);
}

function builtinKind(row: ResourceRow): ServedKind {
  return {
    row,
    isCustom: false,
    storageVersion: row.gvr.version,
    get schema() {
      return schemaFor(row.gvk);
    },
  };
}
