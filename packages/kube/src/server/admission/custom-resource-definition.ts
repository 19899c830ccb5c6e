/** A definition is accepted, or told why not, in the write that makes it: what it defines is served from then on. */
import type { KubeObject } from '@skerry/api';
import {
  applyDefinitionDefaults,
  conflictingStatus,
  definitionWarnings,
  establishedStatus,
  validateDefinition,
  validateDefinitionUpdate,
} from '@skerry/api/crd';
import type { CustomResourceDefinition } from '@skerry/api/types';
import { type AdmissionStep, type Admitted, type Engine, nowText } from '../engine.ts';
import { jsonEqual } from '../json-equal.ts';
import { invalid } from '../statuses.ts';
import { isFor } from './lookup.ts';

/** Keeps a definition until its last object is gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

export const customResourceDefinition: AdmissionStep = {
  name: 'CustomResourceDefinition',
  admit: (engine, admitted) => {
    if (!isFor(admitted, 'apiextensions.k8s.io', 'customresourcedefinitions')) return;
    if (admitted.operation === 'DELETE' || admitted.subresource !== undefined) return;
    accept(engine, admitted);
  },
};

function accept(engine: Engine, admitted: Admitted): void {
  const { object, old, kind, name, operation } = admitted;
  const definition = asDefinition(object);
  applyDefinitionDefaults(definition);
  const faults = validateDefinition(definition, changesVersions(definition, old) ? engine.rules : undefined);
  if (faults.length === 0 && old !== undefined) faults.push(...validateDefinitionUpdate(definition, asDefinition(old)));
  if (faults.length > 0) throw invalid(kind.row.gvk, name, faults);
  if (engine.rules === undefined) admitted.warnings?.push(...definitionWarnings(definition));
  if (operation === 'CREATE') {
    object.metadata.finalizers = [...new Set([...(object.metadata.finalizers ?? []), CLEANUP_FINALIZER])];
  }
  const taken = takenName(engine, definition);
  const now = nowText(engine.clock);
  object['status'] =
    taken === undefined
      ? establishedStatus(definition, now)
      : conflictingStatus(definition, taken.reason, taken.message, now);
}

/** Rules that were accepted once, by an older version of this server, keep no one from changing something else. */
function changesVersions({ spec }: CustomResourceDefinition, old: KubeObject | undefined): boolean {
  return old === undefined || !jsonEqual(asDefinition(old).spec?.versions, spec.versions);
}

/** A name that another resource of the group has, as Kubernetes words it. */
function takenName(
  { table }: Engine,
  { spec }: CustomResourceDefinition,
): { reason: string; message: string } | undefined {
  const { plural, kind, shortNames = [] } = spec.names;
  const others = table.all().filter(({ row: { gvr } }) => gvr.group === spec.group && gvr.resource !== plural);
  for (const { row } of others) {
    if (row.gvk.kind === kind) return { reason: 'KindConflict', message: `${JSON.stringify(kind)} is already in use` };
    const short = shortNames.find((one) => row.shortNames.includes(one) || row.gvr.resource === one);
    if (short !== undefined)
      return { reason: 'ShortNamesConflict', message: `${JSON.stringify(short)} is already in use` };
  }
  return undefined;
}

export function asDefinition(object: KubeObject): CustomResourceDefinition {
  return object as unknown as CustomResourceDefinition;
}
