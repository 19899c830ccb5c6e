/** Server-side apply, and the bookkeeping of every other write: who owns which field, and what follows from it. */
import { isObject } from '../../json.ts';
import type { KubeObject } from '../../object.ts';
import type { Schema } from '../../schema.ts';
import { badPatch } from '../failures.ts';
import { compareObjects, isUnchanged, touched } from './compare.ts';
import { type FieldConflict, findConflicts } from './conflicts.ts';
import { difference, equalSets, type FieldSet, isEmptySet, LEAF, union } from './field-set.ts';
import { fieldsOf } from './fields-of.ts';
import { isSameManager, type Manager, managersFor, withManagers } from './managers.ts';
import { mergeApplied } from './merge.ts';
import { prune } from './prune.ts';
import { trackedPart, withMetadataFacts } from './tracked.ts';

export interface ApplyRequest {
  /** The stored object; absent when the apply creates it. */
  readonly live: KubeObject | undefined;
  /** The configuration as the client sent it, before any default. */
  readonly applied: KubeObject;
  readonly schema: Schema;
  readonly manager: string;
  readonly force?: boolean;
  /** Of the request: `apps/v1`. Default: the configuration's own. */
  readonly apiVersion?: string;
  readonly subresource?: string;
  /** Top-level fields that this endpoint ignores: `status` on the main resource, `spec` on `/status`. */
  readonly ignore?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type ApplyResult =
  | {
      /** The merged object with its managedFields; `live` itself when nothing changed. */
      readonly object: KubeObject;
      readonly changed: boolean;
      readonly conflicts?: undefined;
    }
  | { readonly conflicts: readonly FieldConflict[]; readonly object?: undefined };

/** `metadata` is there whoever owns what in it. */
const SERVER_FIELDS: FieldSet = { 'f:metadata': { 'f:name': LEAF } };

/** Merges a configuration into the live object. Conflicts are a value; a malformed configuration throws 400. */
export function apply(request: ApplyRequest): ApplyResult {
  const { live, manager, now, force = false } = request;
  const schema = withMetadataFacts(request.schema);
  const applied = configurationOf(request);
  const apiVersion = request.apiVersion ?? applied.apiVersion;
  const identity = { name: manager, operation: 'Apply', apiVersion, subresource: request.subresource ?? '' } as const;
  const managers = knownManagers(live, schema, apiVersion);
  const own = managers.find((candidate) => isSameManager(candidate, identity));
  const others = managers.filter((candidate) => candidate !== own);

  const wanted = fieldsOf(trackedPart(applied), schema);
  const isSameSet = own !== undefined && own.apiVersion === apiVersion && equalSets(own.fields, wanted);
  const merged = mergeApplied(live ?? {}, applied, schema);
  const owners = [SERVER_FIELDS, wanted, ...others.map((other) => other.fields)];
  const object = asObject(own === undefined || isSameSet ? merged : prune(merged, own.fields, owners, schema));
  const comparison = compareObjects(trackedPart(live), trackedPart(object), schema);
  if (live !== undefined && isSameSet && isUnchanged(comparison)) return { object: live, changed: false };

  if (!force) {
    const conflicts = findConflicts(comparison.changed, others);
    if (conflicts.length > 0) return { conflicts };
  }
  const taken = touched(comparison);
  const self: Manager = { ...identity, time: timestamp(now), fields: isSameSet ? own.fields : wanted };
  return { object: withManagers(object, [...withoutFields(others, taken), self]), changed: true };
}

export interface UpdateRequest {
  /** The stored object; absent when the write creates it. */
  readonly before: KubeObject | undefined;
  /** The object to be stored, with its defaults. */
  readonly after: KubeObject;
  readonly schema: Schema;
  readonly manager: string;
  readonly operation?: 'Update';
  /** Of the request. Default: the object's own. */
  readonly apiVersion?: string;
  readonly subresource?: string;
  /** Top-level fields that the server sets at this endpoint, not the writer: `status` on the main resource. */
  readonly ignore?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The object with the managedFields of a create, update or patch: its writer owns what it changed, and nobody else does. */
export function trackUpdate(request: UpdateRequest): KubeObject {
  const { before, after, manager, now, subresource = '', ignore } = request;
  const schema = withMetadataFacts(request.schema);
  // Only the main resource lets a client write managedFields.
  const managers = managersFor(before, subresource === '' ? after : undefined);
  // An object whose managers were forgotten is not tracked again before somebody applies it.
  if (before !== undefined && managers.length === 0) return withManagers(after, []);
  const comparison = compareObjects(trackedPart(before, ignore), trackedPart(after, ignore), schema);
  if (isUnchanged(comparison)) return withManagers(after, managers);
  const remaining = withoutFields(managers, touched(comparison));
  if (isEmptySet(comparison.changed)) return withManagers(after, remaining);

  const apiVersion = request.apiVersion ?? after.apiVersion;
  const identity = { name: manager, operation: 'Update', apiVersion, subresource } as const;
  const index = managers.findIndex((candidate) => isSameManager(candidate, identity));
  const previous = remaining[index];
  const fields = previous === undefined ? comparison.changed : union(previous.fields, comparison.changed);
  const self: Manager = { ...identity, time: timestamp(now), fields };
  const others = remaining.filter((_, position) => position !== index);
  return withManagers(after, [...others, self]);
}

const BEFORE_FIRST_APPLY = 'before-first-apply';

/** An object that nobody owns yet belongs, all of it, to a manager of its own, so that an apply can conflict with it. */
function knownManagers(live: KubeObject | undefined, schema: Schema, apiVersion: string): readonly Manager[] {
  const managers = managersFor(live);
  if (live === undefined || managers.length > 0) return managers;
  const { changed } = compareObjects({}, trackedPart(live), schema);
  return [{ name: BEFORE_FIRST_APPLY, operation: 'Update', apiVersion, subresource: '', fields: changed }];
}

function withoutFields(managers: readonly Manager[], taken: FieldSet): Manager[] {
  return managers.map((manager) => {
    const fields = difference(manager.fields, taken);
    return fields === manager.fields ? manager : { ...manager, fields };
  });
}

/** The configuration without what it may not or need not say. */
function configurationOf({ applied, ignore = [] }: ApplyRequest): KubeObject {
  if (!isObject(applied) || !isObject(applied.metadata)) throw badPatch('metadata is required');
  const { managedFields, creationTimestamp: _server, ...metadata } = applied.metadata;
  if (Array.isArray(managedFields) && managedFields.length > 0) throw badPatch('metadata.managedFields must be nil');
  const configuration: KubeObject = { ...applied, metadata };
  for (const field of ignore) delete configuration[field];
  return configuration;
}

function asObject(merged: unknown): KubeObject {
  return merged as KubeObject;
}

/** RFC 3339 with whole seconds. */
function timestamp(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}
