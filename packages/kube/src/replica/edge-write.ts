/** What an edge may write while nobody is asked, as entries of its outbox: pure decisions on one object before and after. */
import { formatGroupResource, type KubeObject, type ResourceRow, StatusError } from '@skerry/api';
import type { StoreKey } from '../store/contract.ts';
import { parseKey } from '../store/key.ts';
import { withValue } from './field-path.ts';

/** One write on its way to the cloud. `version` is the API version of `key`'s resource. */
export type EdgeWrite = { readonly key: StoreKey; readonly version: string } & (
  | { readonly op: 'status'; readonly uid: string | undefined; readonly status: unknown }
  /** An object that the edge makes: created, or replaced when it is there. */
  | { readonly op: 'object'; readonly object: KubeObject }
  | { readonly op: 'delete'; readonly uid: string | undefined }
  /** Fields of an object of the cloud's: taken over where the cloud still has what the edge had. */
  | { readonly op: 'fields'; readonly uid: string | undefined; readonly fields: readonly FieldWrite[] }
);

export interface FieldWrite {
  readonly path: readonly string[];
  /** What the field was before each of the edge's writes that are in this one; without `value` it was absent. */
  readonly bases: readonly { readonly value?: unknown }[];
  /** Absent: the field is to be removed. */
  readonly value?: unknown;
}

export interface LocalWrite {
  readonly node: string;
  readonly row: ResourceRow;
  readonly key: StoreKey;
  readonly before: KubeObject | undefined;
  /** Absent for a delete. */
  readonly after: KubeObject | undefined;
}

/** Later writes with the same text replace earlier ones that were not sent. */
export function outboxKey(op: EdgeWrite['op'], key: StoreKey): string {
  return `${op} ${key}`;
}

export function encodeEdgeWrite(write: EdgeWrite): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(write));
}

/** Throws when the bytes are no such write; they come from a node, so nothing about them is certain. */
export function decodeEdgeWrite(bytes: Uint8Array): EdgeWrite {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  if (!isEdgeWrite(value)) throw new TypeError('not an edge write');
  return value;
}

/** A local write that may be done. */
export interface EdgePlan {
  /** What the cloud must be told. */
  readonly writes: readonly EdgeWrite[];
  /** What to keep at the edge; undefined for a delete. */
  readonly keep: KubeObject | undefined;
}

/** Throws ServiceUnavailable when only the cloud may do it. */
export function planEdgeWrite(write: LocalWrite): EdgePlan {
  const { row, key, before, after } = write;
  const at = { key, version: row.gvr.version };
  if (isMirrorStatus(write)) return plan(after, { ...at, op: 'status', uid: undefined, status: after?.['status'] });
  if (isMadeAtEdge(write)) {
    // The cloud gives the object a uid of its own, so the local one is no precondition there; nor for the node itself.
    return plan(
      after,
      after === undefined ? { ...at, op: 'delete', uid: undefined } : { ...at, op: 'object', object: after },
    );
  }
  const uid = isOwnNode(write) ? undefined : (after ?? before)?.metadata.uid;
  if (after === undefined) {
    if (before?.metadata.deletionTimestamp === undefined) throw belongsToCloud(key, 'its deletion');
    return plan(undefined, { ...at, op: 'delete', uid });
  }
  if (before === undefined) {
    if (!isOwnNode(write)) throw belongsToCloud(key, 'its creation');
    return plan(after, { ...at, op: 'object', object: after });
  }
  const { status, fields, foreign } = difference(write, before, after);
  if (status === undefined) {
    if (foreign !== undefined) throw belongsToCloud(key, foreign.join('.'));
    return fields.length === 0 ? plan(after) : plan(after, { ...at, op: 'fields', uid, fields });
  }
  // A status write changes no spec; where a server of another version fills in defaults on the way, the cloud's stay.
  const keep = foreign === undefined ? after : withValue(before, ['status'], after['status']);
  const statusWrite: EdgeWrite = { ...at, op: 'status', uid, status: after['status'] };
  if (fields.length === 0 || foreign !== undefined) return plan(keep as KubeObject, statusWrite);
  return plan(keep as KubeObject, statusWrite, { ...at, op: 'fields', uid, fields });
}

function plan(keep: KubeObject | undefined, ...writes: readonly EdgeWrite[]): EdgePlan {
  return { writes, keep };
}

/** Kinds whose rows say so, the node's own lease, and the mirrors of pods that the node has from a file. */
export function isMadeAtEdge({ node, row, key, before, after }: LocalWrite): boolean {
  if (row.origin === 'edge') return true;
  if (key === `coordination.k8s.io/leases/kube-node-lease/${node}`) return true;
  return isMirror(row, before ?? after);
}

/** A pod is never changed but for its status: to the cloud, a mirror's is told like that of any other pod. */
function isMirrorStatus({ row, before, after }: LocalWrite): boolean {
  return isMirror(row, before) && after !== undefined && !isSame(before?.['status'], after['status']);
}

function isMirror({ gvr: { group, resource } }: ResourceRow, object: KubeObject | undefined): boolean {
  return group === '' && resource === 'pods' && mirrorHash(object) !== undefined;
}

/** Which pod of its node the object mirrors. */
export function mirrorHash(object: KubeObject | undefined): string | undefined {
  return object?.metadata.annotations?.['kubernetes.io/config.mirror'];
}

/** So many earlier values of a field are remembered. */
const MAX_BASES = 16;

/** Field writes that replace an entry take over what only that one says. */
export function mergeFields(earlier: readonly FieldWrite[], later: readonly FieldWrite[]): FieldWrite[] {
  const merged = new Map(earlier.map((field) => [field.path.join('\0'), field]));
  for (const field of later) {
    const before = merged.get(field.path.join('\0'));
    const bases = [...(before?.bases ?? []), ...field.bases].slice(-MAX_BASES);
    merged.set(field.path.join('\0'), { ...field, bases });
  }
  return [...merged.values()];
}

function isOwnNode({ node, key }: LocalWrite): boolean {
  return key === `/nodes//${node}`;
}

// What an edge may say about its own node beside the status: what it found out about itself.
const OWN_NODE_FIELDS = ['metadata.labels', 'metadata.annotations', 'spec.podCIDR', 'spec.podCIDRs', 'spec.providerID'];

/** Written by every server for itself. */
const LOCAL_METADATA = new Set(['resourceVersion', 'generation', 'managedFields']);

/** The first field beside the status that is not the edge's to write in an object of the cloud's. */
export function foreignField(write: LocalWrite): readonly string[] | undefined {
  const { before, after } = write;
  return before === undefined || after === undefined ? undefined : difference(write, before, after).foreign;
}

interface Difference {
  /** The path, when it differs. */
  readonly status: readonly string[] | undefined;
  readonly fields: readonly FieldWrite[];
  /** The first field that is not the edge's to write. */
  readonly foreign: readonly string[] | undefined;
}

function difference(write: LocalWrite, before: KubeObject, after: KubeObject): Difference {
  const writable = isOwnNode(write) ? [...OWN_NODE_FIELDS, ...write.row.edgeWritable] : write.row.edgeWritable;
  const changed = changedFields(before, after).filter(
    ([top, name = '']) => !(top === 'metadata' && LOCAL_METADATA.has(name)),
  );
  const found = changed.map((path) => ({ path, fields: writableFields(path, writable, before, after) }));
  const paths = found.flatMap(({ fields = [] }) => fields);
  return {
    status: changed.find(([top]) => top === 'status'),
    fields: distinct(paths).map((path) => ({
      path,
      bases: [optional(at(before, path))],
      ...optional(at(after, path)),
    })),
    foreign: found.find(({ path, fields }) => path[0] !== 'status' && fields === undefined)?.path,
  };
}

/**
 * What of a change is sent as fields of its own; undefined when the edge may not write it. A pattern `spec.desired.*` makes
 * each child of `spec.desired` one field, which is never sent in parts.
 */
function writableFields(
  path: readonly string[],
  patterns: readonly string[],
  before: KubeObject,
  after: KubeObject,
): readonly (readonly string[])[] | undefined {
  for (const pattern of patterns) {
    if (!pattern.endsWith('.*')) {
      if (isUnder(path.join('.'), pattern)) return [path];
      continue;
    }
    const parent = pattern.slice(0, -2).split('.');
    if (!parent.every((name, index) => path[index] === name)) continue;
    if (path.length > parent.length) return [path.slice(0, parent.length + 1)];
    const names = new Set([before, after].flatMap((object) => Object.keys(at(object, parent) ?? {})));
    return [...names].map((name) => [...parent, name]);
  }
  return undefined;
}

function distinct(paths: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return [...new Map(paths.map((path) => [path.join('\0'), path])).values()];
}

function isUnder(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}.`);
}

/** Paths of the fields that differ: down to values and lists, but `status` as one. */
function changedFields(before: unknown, after: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (isSame(before, after)) return [];
  if (!isRecord(before) || !isRecord(after) || path[0] === 'status') return [path];
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => changedFields(before[name], after[name], [...path, name]));
}

function belongsToCloud(key: StoreKey, what: string): StatusError {
  const { group, resource, name } = parseKey(key);
  const subject = `${formatGroupResource({ group, resource })} "${name}"`;
  return new StatusError(
    503,
    'ServiceUnavailable',
    `${subject}: ${what} is for the cloud to write, which cannot be reached`,
  );
}

export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function at(object: unknown, path: readonly string[]): unknown {
  return path.reduce(
    (parent: unknown, name) => (isRecord(parent) && Object.hasOwn(parent, name) ? parent[name] : undefined),
    object,
  );
}

function optional(value: unknown): { readonly value?: unknown } {
  return value === undefined ? {} : { value };
}

function isEdgeWrite(value: unknown): value is EdgeWrite {
  if (!isRecord(value) || typeof value['key'] !== 'string' || typeof value['version'] !== 'string') return false;
  if (value['uid'] !== undefined && typeof value['uid'] !== 'string') return false;
  switch (value['op']) {
    case 'status':
    case 'delete':
      return true;
    case 'object':
      return isRecord(value['object']) && isRecord(value['object']['metadata']);
    case 'fields':
      return Array.isArray(value['fields']) && value['fields'].every(isFieldWrite);
    default:
      return false;
  }
}

function isFieldWrite(value: unknown): value is FieldWrite {
  if (!isRecord(value) || !Array.isArray(value['path']) || value['path'].length === 0) return false;
  return (
    value['path'].every((name) => typeof name === 'string') &&
    Array.isArray(value['bases']) &&
    value['bases'].every(isRecord)
  );
}
