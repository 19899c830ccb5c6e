/** Who wrote which field: kept on every write, and the base of server-side apply. */
import { formatApiVersion, type KubeObject } from '@skerry/api';
import { type ApplyResult, apply, conflictError, trackUpdate } from '@skerry/api/patch';
import type { Call, Engine } from './engine.ts';
import { strategyOf } from './strategies.ts';
import type { WriteOptions } from './write-options.ts';

export interface TrackedWrite {
  readonly object: KubeObject;
  readonly old?: KubeObject;
  readonly options: WriteOptions;
}

/** Notes in `managedFields` what the writer of this create, update or patch changed. */
export function trackFields(engine: Engine, call: Call, { object, old, options }: TrackedWrite): void {
  const { metadata } = trackUpdate({
    before: old,
    after: object,
    schema: call.kind.schema ?? {},
    manager: options.fieldManager,
    apiVersion: formatApiVersion(call.kind.row.gvr),
    ...subresourceOf(call),
    ignore: ignoredFields(call),
    now: engine.clock.now(),
  });
  object.metadata = metadata;
}

/** Merges an applied configuration into the live object; throws 409 when it takes what others own. */
export function applyConfiguration(
  engine: Engine,
  call: Call,
  { old, config, options }: { old: KubeObject | undefined; config: KubeObject; options: WriteOptions },
): Extract<ApplyResult, { readonly object: KubeObject }> {
  const result = apply({
    live: old,
    applied: config,
    schema: call.kind.schema ?? {},
    manager: options.fieldManager,
    force: options.force,
    apiVersion: formatApiVersion(call.kind.row.gvr),
    ...subresourceOf(call),
    ignore: ignoredFields(call),
    now: engine.clock.now(),
  });
  if (result.object === undefined) throw conflictError(result.conflicts);
  return result;
}

function subresourceOf({ route }: Call): { subresource?: string } {
  return route.subresource === undefined ? {} : { subresource: route.subresource };
}

/** What this endpoint does not write, nobody comes to own by applying it here. */
function ignoredFields({ kind, route }: Call): string[] {
  if (route.subresource === 'status') return ['spec'];
  return kind.row.subresources.includes('status') && !strategyOf(kind).createsStatus ? ['status'] : [];
}
