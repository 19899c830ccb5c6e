/** The built-in kinds as the server serves them. Schemas are made when a kind is first used: a cold server holds none. */
import { type Gvk, type KubeObject, parseApiVersion, type ResourceRow } from '@skerry/api';
import { autoscalerV1, type Conversion, eventsV1 } from '@skerry/api/conversion';
import { builtinRows, schemaFor } from '@skerry/api/facts';
import { applyKindDefaults } from '@skerry/api/validation';
import type { ServedKind } from './resource-table.ts';

/** Versions of another shape than the stored one. */
const CONVERTED: Readonly<Record<string, Pick<ServedKind, 'storageVersion' | 'conversion'>>> = {
  'autoscaling/v1/horizontalpodautoscalers': { storageVersion: 'v2', conversion: withDefaults(autoscalerV1) },
  'events.k8s.io/v1/events': { storageVersion: 'v1', conversion: eventsV1 },
};

export function builtinKinds(rows: readonly ResourceRow[] = builtinRows()): ServedKind[] {
  return rows.map(builtinKind);
}

function nameOf({ gvr: { group, version, resource } }: ResourceRow): string {
  return `${group}/${version}/${resource}`;
}

/** The author of a body in one version has said nothing of what only the other one has. */
function withDefaults({ toServed, toStored }: Conversion): Conversion {
  return {
    toServed,
    toStored: (served) => {
      const stored = toStored(served);
      applyKindDefaults(parseGvk(stored), stored);
      return stored;
    },
  };
}

function parseGvk({ apiVersion, kind }: KubeObject): Gvk {
  return { ...parseApiVersion(apiVersion), kind };
}

function builtinKind(row: ResourceRow): ServedKind {
  return {
    row,
    isCustom: false,
    storageVersion: row.gvr.version,
    ...CONVERTED[nameOf(row)],
    get schema() {
      return schemaFor(row.gvk);
    },
  };
}
