/** `metadata.managedFields`: who owns what. One entry for each manager, operation, version and subresource. */
import { isObject } from '../../json.ts';
import type { KubeObject, ManagedFieldsEntry } from '../../object.ts';
import { type FieldSet, isEmptySet, isFieldSet, sortedSet, union } from './field-set.ts';

export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time?: string;
  readonly fields: FieldSet;
  /** The entry this was read from, written back as it is while the set is the same. */
  readonly entry?: ManagedFieldsEntry;
}

/** More updaters than this are folded into one entry, oldest first, so that entries cannot pile up. */
const MAX_UPDATE_MANAGERS = 10;
const FOLDED_MANAGER = 'ancient-changes';

/**
 * The managers that a write starts from. A request may set managedFields itself (that is how tools migrate);
 * leaving them out keeps the live ones, a single empty entry forgets them all.
 */
export function managersFor(live: KubeObject | undefined, request?: KubeObject): readonly Manager[] {
  const own = request?.metadata.managedFields;
  if (Array.isArray(own) && own.length > 0) {
    if (own.length === 1 && isObject(own[0]) && Object.keys(own[0]).length === 0) return [];
    const decoded = decode(own);
    if (decoded !== undefined && decoded.length > 0) return decoded;
  }
  return decode(live?.metadata.managedFields ?? []) ?? [];
}

/** Undefined when an entry is malformed. */
function decode(entries: readonly unknown[]): Manager[] | undefined {
  const managers: Manager[] = [];
  for (const entry of entries) {
    const manager = isObject(entry) ? decodeEntry(entry) : undefined;
    if (manager === undefined) return undefined;
    managers.push(manager);
  }
  return managers;
}

function decodeEntry(entry: Record<string, unknown>): Manager | undefined {
  const { manager = '', operation, apiVersion, subresource = '', time, fieldsV1 = {} } = entry;
  if (operation !== 'Apply' && operation !== 'Update') return undefined;
  if (typeof manager !== 'string' || typeof apiVersion !== 'string' || typeof subresource !== 'string')
    return undefined;
  if (!isFieldSet(fieldsV1)) return undefined;
  return {
    name: manager,
    operation,
    apiVersion,
    subresource,
    ...(typeof time === 'string' ? { time } : {}),
    fields: fieldsV1,
    entry: entry as ManagedFieldsEntry,
  };
}

/** An applier is one manager whatever version it used; an updater is one for each version. */
export function isSameManager(left: Omit<Manager, 'fields'>, right: Omit<Manager, 'fields'>): boolean {
  return (
    left.name === right.name &&
    left.operation === right.operation &&
    left.subresource === right.subresource &&
    (left.operation === 'Apply' || left.apiVersion === right.apiVersion)
  );
}

/** The entries to store: managers without fields are dropped, the rest in Kubernetes' order. */
function encodeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] {
  return foldOldest(managers.filter((manager) => !isEmptySet(manager.fields)))
    .sort(byOperationThenTime)
    .map(encodeEntry);
}

function encodeEntry(manager: Manager): ManagedFieldsEntry {
  const { entry } = manager;
  if (entry !== undefined && entry.fieldsV1 === manager.fields && entry.time === manager.time) return entry;
  return {
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time === undefined ? {} : { time: manager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: sortedSet(manager.fields),
    ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
  };
}

function foldOldest(managers: readonly Manager[]): Manager[] {
  const updaters = managers.filter((manager) => manager.operation === 'Update' && manager.subresource !== 'status');
  const excess = updaters.length - MAX_UPDATE_MANAGERS;
  if (excess <= 0) return [...managers];
  const oldest = updaters.sort(byOperationThenTime).slice(0, excess + 1);
  const folded = new Map<string, Manager>();
  for (const manager of oldest) {
    const before = folded.get(manager.apiVersion);
    folded.set(manager.apiVersion, {
      name: FOLDED_MANAGER,
      operation: 'Update',
      apiVersion: manager.apiVersion,
      subresource: '',
      ...(manager.time === undefined ? {} : { time: manager.time }),
      fields: before === undefined ? manager.fields : union(before.fields, manager.fields),
    });
  }
  return [...managers.filter((manager) => !oldest.includes(manager)), ...folded.values()];
}

function byOperationThenTime(left: Manager, right: Manager): number {
  return (
    compareText(left.operation, right.operation) ||
    compareText(left.time ?? '', right.time ?? '') ||
    compareText(left.name, right.name) ||
    compareText(left.apiVersion, right.apiVersion) ||
    compareText(left.subresource, right.subresource)
  );
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The object with these managers; the same entries when nothing about them changed. */
export function withManagers<T extends KubeObject>(object: T, managers: readonly Manager[]): T {
  const entries = encodeManagers(managers);
  const current = object.metadata.managedFields;
  if (current === undefined ? entries.length === 0 : isSameList(current, entries)) return object;
  const { managedFields: _replaced, ...metadata } = object.metadata;
  return { ...object, metadata: entries.length === 0 ? metadata : { ...metadata, managedFields: entries } };
}

function isSameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((entry, index) => entry === right[index]);
}
