/** PUT, and the tail of every patch: a new version of an object that exists. */
import { type FieldError, isStatus, type KubeObject } from '@skerry/api';
import type { StoredObject } from '../store/contract.ts';
import { admit } from './admission/index.ts';
import { ReviewedRequest } from './admission/review/review.ts';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, fault, find, groupResource, inStoredVersion, nameOf, viewOf } from './engine.ts';
import { respondObject } from './forms.ts';
import { readObject, settleName, settlePlace } from './incoming.ts';
import { jsonEqual } from './json-equal.ts';
import { trackFields } from './managed-fields.ts';
import { toServedObject, toStoredJson } from './object-text.ts';
import { checkWrite } from './replica-writes.ts';
import type { ServedKind } from './resource-table.ts';
import { fillDefaults, validateWrite } from './shaping.ts';
import { conflict, invalid, methodNotSupported, notFound } from './statuses.ts';
import { strategyOf } from './strategies.ts';
import { optionsObject, parseWriteOptions, type WriteOptions } from './write-options.ts';

export async function update(engine: Engine, call: Call): Promise<ApiResponse> {
  if (!call.kind.row.verbs.includes('update')) throw methodNotSupported(groupResource(call.kind), 'update');
  const options = parseWriteOptions(call.request, 'UpdateOptions');
  const object = readObject(engine, call, options.fieldValidation);
  const stored = findForWrite(engine, call, 'update');
  return respondObject(engine, call, 200, await updateObject(engine, call, { stored, object, options }));
}

/** The object that is to be changed; 404 when it is not there, unless the cloud may have it. */
export function findForWrite(engine: Engine, call: Call, verb: 'update' | 'delete'): StoredObject {
  const stored = find(engine, call);
  if (stored !== undefined) return stored;
  checkWrite(engine, call, { verb });
  throw notFound(groupResource(call.kind), nameOf(call.route));
}

export interface Update {
  readonly stored: StoredObject;
  /** The whole object as it is wanted; changed in place. */
  readonly object: KubeObject;
  readonly options: WriteOptions;
  /** Field ownership was settled by server-side apply already. */
  readonly isApply?: boolean;
  /** What reviewers see of it was shown to them already, in another form. */
  readonly isReviewed?: boolean;
}

/**
 * Writes a new version. Gives back what is stored then: the old version when nothing changed, the last one when the object went.
 * Invariant: nothing is awaited between the read of `stored` and the write, so a write without a resourceVersion cannot lose one.
 */
export async function updateObject(engine: Engine, call: Call, update: Update): Promise<StoredObject> {
  const { stored, object, options } = update;
  const { kind, route } = call;
  const old = toServedObject(stored, viewOf(kind));
  settlePlace(call, object);
  settleName(nameOf(route), object);
  checkPreconditions(call, old, object);
  keepSystemMetadata(old, object);
  keepOtherHalf(call, old, object);
  fillDefaults(kind, object);
  const review = admitUpdate(engine, call, update, old);
  const faults = [...faultsOfFinalizers(old, object), ...validateWrite(engine, call, { object, old })];
  if (faults.length > 0) throw invalid(kind.row.gvk, nameOf(route), faults);
  review?.validate();
  raiseGeneration(call, old, object);
  if (update.isApply !== true) trackFields(engine, call, { object, old, options });
  return commitUpdate(engine, call, update, old);
}

/** Gives back the review, for those who have a say after validation. */
function admitUpdate(
  engine: Engine,
  call: Call,
  { object, options, isReviewed = false }: Update,
  old: KubeObject,
): ReviewedRequest | undefined {
  const { dryRun } = options;
  const name = object.metadata.name ?? '';
  const kindOfOptions = call.route.verb === 'patch' ? 'PatchOptions' : 'UpdateOptions';
  const review = isReviewed
    ? undefined
    : new ReviewedRequest(engine, call, {
        operation: 'UPDATE',
        name,
        object,
        old,
        options: optionsObject(options, kindOfOptions),
        dryRun,
      });
  admit(
    engine,
    {
      operation: 'UPDATE',
      kind: call.kind,
      user: call.user,
      namespace: object.metadata.namespace ?? '',
      name,
      ...(call.route.subresource === undefined ? {} : { subresource: call.route.subresource }),
      object,
      old,
      dryRun,
      warnings: call.warnings,
      annotations: call.annotations,
    },
    review,
  );
  // Reviewers write no more of an object than the request itself may.
  if (review?.isRewritten === true) keepOtherHalf(call, old, object);
  return review;
}

async function commitUpdate(engine: Engine, call: Call, update: Update, old: KubeObject): Promise<StoredObject> {
  const { stored, object, options } = update;
  const { kind } = call;
  const json = toStoredJson(inStoredVersion(kind, object));
  checkWrite(engine, call, { verb: 'update', object, old });
  if (isDone(object)) return removeObject(engine, call, { stored, json, options });
  if (isSame(stored, json, old, object)) return stored;
  if (options.dryRun) return { ...stored, json };
  try {
    return await engine.store.put(stored.key, json, { ifRevision: stored.revision });
  } catch (error) {
    throw inWords(error, call);
  }
}

/** A deleted object goes for good once its last finalizer is gone and its grace is over. */
function isDone({ metadata, ...object }: KubeObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers?.length ?? 0) > 0) return false;
  if ((metadata.deletionGracePeriodSeconds ?? 0) > 0) return false;
  const spec = object['spec'] as { finalizers?: readonly string[] } | undefined;
  return object.kind !== 'Namespace' || (spec?.finalizers?.length ?? 0) === 0;
}

async function removeObject(
  engine: Engine,
  call: Call,
  { stored, json, options }: { stored: StoredObject; json: string; options: WriteOptions },
): Promise<StoredObject> {
  if (options.dryRun) return { ...stored, json };
  try {
    const { revision } = await engine.store.delete(stored.key, { ifRevision: stored.revision });
    return { key: stored.key, revision, json };
  } catch (error) {
    throw inWords(error, call);
  }
}

function isSame(stored: StoredObject, json: string, old: KubeObject, object: KubeObject): boolean {
  if (stored.json === json) return true;
  if (stored.json.length !== json.length) return false;
  // The same length with another order of keys is the same object.
  return jsonEqual({ ...old, metadata: withoutVersion(old) }, { ...object, metadata: withoutVersion(object) });
}

function withoutVersion({ metadata }: KubeObject): KubeObject['metadata'] {
  const { resourceVersion: _, ...kept } = metadata;
  return kept;
}

function checkPreconditions(call: Call, old: KubeObject, object: KubeObject): void {
  const of = groupResource(call.kind);
  const name = nameOf(call.route);
  const { resourceVersion, uid } = object.metadata;
  if (uid !== undefined && uid !== '' && uid !== old.metadata.uid) {
    throw conflict(
      of,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
    );
  }
  const isUnconditional = resourceVersion === undefined || resourceVersion === '' || resourceVersion === '0';
  if (!isUnconditional && resourceVersion !== old.metadata.resourceVersion) throw conflict(of, name);
}

/** What only the server writes stays as it was. */
function keepSystemMetadata(old: KubeObject, object: KubeObject): void {
  const { uid, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds, generateName } =
    old.metadata;
  const kept = { uid, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds, generateName };
  const metadata: Record<string, unknown> = { ...object.metadata };
  delete metadata['resourceVersion'];
  for (const [field, value] of Object.entries(kept)) {
    if (value === undefined) delete metadata[field];
    else metadata[field] = value;
  }
  object.metadata = metadata;
}

/** Each endpoint writes its own part of an object; the rest stays as it was. */
function keepOtherHalf({ kind, route }: Call, old: KubeObject, object: KubeObject): void {
  switch (route.subresource) {
    case 'status':
    case 'approval':
      keepAllBut(object, old, ['status', ...(strategyOf(kind).statusKeepsMetadata ? ['metadata'] : [])]);
      keepOwners(object, old);
      return;
    case 'resize':
      keepAllBut(object, old, ['spec']);
      return;
    case 'finalize':
      keepSpecBut(object, old, 'finalizers');
      return;
    case 'ephemeralcontainers':
      keepSpecBut(object, old, 'ephemeralContainers');
      return;
    case 'binding':
      return;
    default:
      keepStatus(kind, old, object);
      strategyOf(kind).keep?.(object, old);
  }
}

/** Who writes a status does not decide whose the object is. */
function keepOwners({ metadata }: KubeObject, old: KubeObject): void {
  const { ownerReferences } = old.metadata;
  if (ownerReferences === undefined) delete metadata.ownerReferences;
  else metadata.ownerReferences = ownerReferences;
}

function keepStatus({ row }: ServedKind, old: KubeObject, object: KubeObject): void {
  if (!row.subresources.includes('status')) return;
  if (old['status'] === undefined) delete object['status'];
  else object['status'] = old['status'];
}

function keepSpecBut(object: KubeObject, old: KubeObject, field: string): void {
  const wanted = (object['spec'] as Record<string, unknown> | undefined)?.[field];
  keepAllBut(object, old, ['spec']);
  const { [field]: _, ...spec } = (old['spec'] ?? {}) as Record<string, unknown>;
  object['spec'] = wanted === undefined ? spec : { ...spec, [field]: wanted };
}

/** Makes `object` a copy of `old` but for `own` fields; ownership of fields is always its own. */
function keepAllBut(object: KubeObject, old: KubeObject, own: readonly string[]): void {
  const { managedFields } = object.metadata;
  for (const field of Object.keys(object)) if (!own.includes(field)) delete object[field];
  for (const [field, value] of Object.entries(old)) if (!own.includes(field)) object[field] = value;
  if (own.includes('metadata')) return;
  object.metadata = { ...old.metadata, ...(managedFields === undefined ? {} : { managedFields }) };
  delete object.metadata.resourceVersion;
}

/** A pod's place is no change of what it should be: binding leaves the generation alone. */
const NO_GENERATION = ['status', 'binding'];

function raiseGeneration({ kind, route }: Call, old: KubeObject, object: KubeObject): void {
  if (!kind.row.tracksGeneration || NO_GENERATION.includes(route.subresource ?? '')) return;
  const { metadata: _oldMetadata, status: _oldStatus, ...oldRest } = old;
  const { metadata: _metadata, status: _status, ...rest } = object;
  if (!jsonEqual(oldRest, rest)) object.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

function faultsOfFinalizers(old: KubeObject, { metadata }: KubeObject): FieldError[] {
  if (old.metadata.deletionTimestamp === undefined) return [];
  const before = new Set(old.metadata.finalizers);
  const added = (metadata.finalizers ?? []).filter((finalizer) => !before.has(finalizer));
  if (added.length === 0) return [];
  const list = added.map((finalizer) => `"${finalizer}"`).join(', ');
  const text = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
  return [fault('FieldValueForbidden', 'metadata.finalizers', text)];
}

/** The store speaks of keys; clients hear of objects. */
export function inWords(error: unknown, call: Call): unknown {
  const name = call.route.name ?? '';
  if (isStatus(error, 'Conflict')) return conflict(groupResource(call.kind), name);
  return isStatus(error, 'NotFound') ? notFound(groupResource(call.kind), name) : error;
}
