/** DELETE of one object: preconditions, grace, finalizers, propagation. */
import type { KubeObject, Status } from '@skerry/api';
import type { StoredObject } from '../store/contract.ts';
import { admit } from './admission/index.ts';
import { ReviewedRequest } from './admission/review/review.ts';
import { decodeBody } from './body.ts';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, groupResource, inStoredVersion, viewOf } from './engine.ts';
import { respondObject } from './forms.ts';
import { isRecord } from './incoming.ts';
import { toServedObject, toStoredJson } from './object-text.ts';
import { checkWrite } from './replica-writes.ts';
import { respondJson } from './respond.ts';
import { badRequest, conflict, invalid, methodNotSupported, success } from './statuses.ts';
import { findForWrite, inWords } from './update.ts';
import { integerOf, parseWriteOptions, unsupported } from './write-options.ts';

export interface DeleteOptions {
  readonly dryRun: boolean;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: PropagationPolicy;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan';

const POLICIES: readonly string[] = ['Background', 'Foreground', 'Orphan'];

export async function deleteOne(engine: Engine, call: Call): Promise<ApiResponse> {
  if (!call.kind.row.verbs.includes('delete')) throw methodNotSupported(groupResource(call.kind), 'delete');
  const options = readDeleteOptions(engine, call);
  const stored = findForWrite(engine, call, 'delete');
  const outcome = await deleteObject(engine, call, stored, options);
  if (outcome.isGone && call.wanted.form === 'object')
    return respondJson(200, goneStatus(call, outcome.object), call.wanted);
  return respondObject(engine, call, 200, outcome.stored);
}

export interface DeleteOutcome {
  /** Whether the object is gone; otherwise it waits for its finalizers or its grace. */
  readonly isGone: boolean;
  readonly stored: StoredObject;
  readonly object: KubeObject;
}

export async function deleteObject(
  engine: Engine,
  call: Call,
  stored: StoredObject,
  options: DeleteOptions,
  isReviewed = false,
): Promise<DeleteOutcome> {
  checkDelete(engine, call, stored, options, isReviewed);
  return deleteChecked(engine, call, stored, options);
}

/** Preconditions, the write policy and admission; throws when the object may not be deleted. */
export function checkDelete(
  engine: Engine,
  call: Call,
  stored: StoredObject,
  options: DeleteOptions,
  isReviewed = false,
): void {
  const object = toServedObject(stored, viewOf(call.kind));
  checkPreconditions(call, object, options);
  checkWrite(engine, call, { verb: 'delete', old: object });
  admitDelete(engine, call, object, options.dryRun);
  if (!isReviewed) reviewDelete(engine, call, object, options);
}

/** Deletes what `checkDelete` has let pass. */
export async function deleteChecked(
  engine: Engine,
  call: Call,
  stored: StoredObject,
  options: DeleteOptions,
): Promise<DeleteOutcome> {
  const object = toServedObject(stored, viewOf(call.kind));
  const graceSeconds = graceOf(call, object, options);
  const marked = mark(engine, object, graceSeconds, options);
  if (marked === undefined) return removeNow(engine, stored, { call, object, options });
  const json = toStoredJson(inStoredVersion(call.kind, marked));
  if (json === stored.json) return { isGone: false, stored, object };
  if (options.dryRun) return { isGone: false, stored: { ...stored, json }, object: marked };
  try {
    const written = await engine.store.put(stored.key, json, { ifRevision: stored.revision });
    return { isGone: false, stored: written, object: marked };
  } catch (error) {
    throw inWords(error, call);
  }
}

async function removeNow(
  engine: Engine,
  stored: StoredObject,
  { call, object, options }: { call: Call; object: KubeObject; options: DeleteOptions },
): Promise<DeleteOutcome> {
  if (options.dryRun) return { isGone: true, stored, object };
  try {
    const { revision } = await engine.store.delete(stored.key, { ifRevision: stored.revision });
    return { isGone: true, stored: { ...stored, revision }, object };
  } catch (error) {
    throw inWords(error, call);
  }
}

/** The object marked as going; undefined when it can go at once. Stored in the version it was read in. */
function mark(
  engine: Engine,
  object: KubeObject,
  graceSeconds: number,
  { propagationPolicy }: DeleteOptions,
): KubeObject | undefined {
  const finalizers = finalizersFor(object.metadata.finalizers ?? [], propagationPolicy);
  const isHeld = finalizers.length > 0 || hasSpecFinalizers(object);
  if (!isHeld && graceSeconds === 0) return undefined;
  const { resourceVersion: _, finalizers: _before, ...metadata } = object.metadata;
  const marked: KubeObject = {
    ...object,
    metadata: {
      ...metadata,
      ...deletionMark(engine, object, graceSeconds),
      ...(finalizers.length === 0 ? {} : { finalizers }),
    },
  };
  if (object.kind === 'Namespace')
    marked['status'] = { ...(object['status'] as object | undefined), phase: 'Terminating' };
  return marked;
}

/** A second delete may shorten the grace, never lengthen it. */
function deletionMark(engine: Engine, { metadata }: KubeObject, graceSeconds: number): KubeObject['metadata'] {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata;
  if (deletionTimestamp !== undefined && graceSeconds >= deletionGracePeriodSeconds) return {};
  const now = engine.clock.now();
  const start =
    deletionTimestamp === undefined ? now : Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  const ends = deletionTimestamp === undefined ? now + graceSeconds * 1000 : Math.max(now, start + graceSeconds * 1000);
  return {
    deletionTimestamp: `${new Date(ends).toISOString().slice(0, 19)}Z`,
    deletionGracePeriodSeconds: graceSeconds,
    ...(metadata.generation === undefined || deletionTimestamp !== undefined
      ? {}
      : { generation: metadata.generation + 1 }),
  };
}

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

function finalizersFor(finalizers: readonly string[], policy: PropagationPolicy | undefined): string[] {
  if (policy === undefined) return [...finalizers];
  const kept = finalizers.filter((finalizer) => finalizer !== FOREGROUND && finalizer !== ORPHAN);
  switch (policy) {
    case 'Background':
      return kept;
    case 'Foreground':
      return [...kept, FOREGROUND];
    case 'Orphan':
      return [...kept, ORPHAN];
  }
}

function hasSpecFinalizers(object: KubeObject): boolean {
  if (object.kind !== 'Namespace') return false;
  return ((object['spec'] as { finalizers?: readonly string[] } | undefined)?.finalizers?.length ?? 0) > 0;
}

interface GracefulPod {
  readonly spec?: { readonly nodeName?: string; readonly terminationGracePeriodSeconds?: number };
  readonly status?: { readonly phase?: string };
}

const DEFAULT_POD_GRACE_SECONDS = 30;

/** Only pods end with grace, and only those that a node may be running. */
function graceOf({ kind }: Call, object: KubeObject, options: DeleteOptions): number {
  const { gvr } = kind.row;
  if (gvr.group !== '' || gvr.resource !== 'pods') return 0;
  const { spec, status } = object as GracefulPod;
  if (spec?.nodeName === undefined || spec.nodeName === '') return 0;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? DEFAULT_POD_GRACE_SECONDS;
}

function admitDelete(engine: Engine, call: Call, object: KubeObject, dryRun: boolean): void {
  admit(engine, {
    operation: 'DELETE',
    kind: call.kind,
    user: call.user,
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name ?? '',
    object,
    dryRun,
  });
}

function reviewDelete(engine: Engine, call: Call, old: KubeObject, options: DeleteOptions): void {
  const name = old.metadata.name ?? '';
  const review = new ReviewedRequest(engine, call, {
    operation: 'DELETE',
    name,
    object: null,
    old,
    options: optionsObject(options),
    dryRun: options.dryRun,
  });
  review.mutate(() => {});
  review.validate();
}

function optionsObject({ dryRun, uid, resourceVersion, ...rest }: DeleteOptions): Readonly<Record<string, unknown>> {
  const preconditions = {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return {
    kind: 'DeleteOptions',
    apiVersion: 'meta.k8s.io/v1',
    ...rest,
    ...(dryRun ? { dryRun: ['All'] } : {}),
    ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
  };
}

function checkPreconditions(call: Call, { metadata }: KubeObject, { uid, resourceVersion }: DeleteOptions): void {
  const of = groupResource(call.kind);
  const name = metadata.name ?? '';
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(of, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const found = `ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`;
    throw conflict(of, name, `Precondition failed: ${found}`);
  }
}

function goneStatus(call: Call, { metadata }: KubeObject): Status {
  const { group, resource } = groupResource(call.kind);
  return success({
    details: {
      ...(metadata.name === undefined ? {} : { name: metadata.name }),
      ...(group === '' ? {} : { group }),
      kind: resource,
      ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
    },
  });
}

/** Options come in the body, or in the query where old clients put them. */
export function readDeleteOptions(engine: Engine, call: Call): DeleteOptions {
  const { query } = call.request;
  const { value = {} } = decodeBody(call.request, engine.parseYaml);
  if (!isRecord(value)) throw badRequest('the object provided is unrecognized (must be of type DeleteOptions)');
  checkKind(value);
  const given = deleteOptionsIn({
    ...value,
    gracePeriodSeconds: value['gracePeriodSeconds'] ?? integerOf(query, 'gracePeriodSeconds'),
    propagationPolicy: value['propagationPolicy'] ?? query.get('propagationPolicy'),
  });
  return { ...given, dryRun: given.dryRun || parseWriteOptions(call.request, 'DeleteOptions').dryRun };
}

/** Reads the fields of a DeleteOptions; throws 422 when one makes no sense. */
export function deleteOptionsIn(value: Record<string, unknown>): DeleteOptions {
  const preconditions = isRecord(value['preconditions']) ? value['preconditions'] : {};
  const grace = numberIn(value['gracePeriodSeconds']);
  const policy = textIn(value['propagationPolicy']) ?? orphanPolicy(value);
  checkOptions(grace, policy);
  const uid = textIn(preconditions['uid']);
  const resourceVersion = textIn(preconditions['resourceVersion']);
  return {
    dryRun: Array.isArray(value['dryRun']) && value['dryRun'].includes('All'),
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy === undefined ? {} : { propagationPolicy: policy as PropagationPolicy }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

function checkKind({ kind }: Record<string, unknown>): void {
  if (kind !== undefined && kind !== 'DeleteOptions') {
    throw badRequest(`the object provided is ${String(kind)}, expected DeleteOptions`);
  }
}

function checkOptions(grace: number | undefined, policy: string | undefined): void {
  const gvk = { group: 'meta.k8s.io', version: 'v1', kind: 'DeleteOptions' };
  if (policy !== undefined && !POLICIES.includes(policy)) {
    throw invalid(gvk, '', [unsupported('propagationPolicy', policy, POLICIES)]);
  }
  if (grace !== undefined && grace < 0) {
    const message = `gracePeriodSeconds: Invalid value: ${grace}: must be greater than or equal to 0`;
    throw invalid(gvk, '', [{ reason: 'FieldValueInvalid', path: 'gracePeriodSeconds', message }]);
  }
}

/** `orphanDependents`, the older word for the same wish. */
function orphanPolicy(value: Record<string, unknown>): PropagationPolicy | undefined {
  if (typeof value['orphanDependents'] !== 'boolean') return undefined;
  return value['orphanDependents'] ? 'Orphan' : 'Background';
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberIn(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}
