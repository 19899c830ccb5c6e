/** What is served: a row and a schema for each kind. Definitions of custom resources add and remove rows while it runs. */
import type { ResourceRow, Schema } from '@skerry/api';
import type { Conversion } from '@skerry/api/conversion';
import type { VirtualKind } from './virtual.ts';

/** A kind that the server serves, in one of its versions. */
export interface ServedKind {
  readonly row: ResourceRow;
  /** Undefined: any object is taken as it is. */
  readonly schema: Schema | undefined;
  /** Custom resources are served by the engine alone: no strategic patches, pruning by their own schema. */
  readonly isCustom: boolean;
  /** The version that the store keeps; the row's own unless the kind has several. */
  readonly storageVersion: string;
  /** Its definition is going: what is there goes, and nothing new is made. */
  readonly isTerminating?: boolean;
  /** Where this version has another shape than the stored one. */
  readonly conversion?: Conversion;
  /** A sentence for the `Warning` header when this version is deprecated. */
  readonly deprecation?: string;
  /** Makes the objects when they are asked for; the store has none of this kind. */
  readonly read?: VirtualKind['read'];
  readonly watch?: VirtualKind['watch'];
  readonly create?: VirtualKind['create'];
}

export type TableListener = () => void;

/** The kinds that are served now. */
export class ResourceTable {
  readonly #kinds = new Map<string, ServedKind>();
  readonly #listeners = new Set<TableListener>();
  #generation = 0;

  constructor(kinds: Iterable<ServedKind> = []) {
    for (const kind of kinds) this.#kinds.set(keyOf(kind.row.gvr), kind);
  }

  /** Grows with each change; for caches of what is derived from the whole table. */
  get generation(): number {
    return this.#generation;
  }

  find(group: string, version: string, resource: string): ServedKind | undefined {
    return this.#kinds.get(`${group}/${version}/${resource}`);
  }

  findKind(group: string, version: string, kind: string): ServedKind | undefined {
    return this.all().find(({ row: { gvk } }) => gvk.kind === kind && gvk.group === group && gvk.version === version);
  }

  /** The kind in whichever version is stored. */
  findResource(group: string, resource: string): ServedKind | undefined {
    return this.all().find(
      ({ row: { gvr }, storageVersion }) =>
        gvr.group === group && gvr.resource === resource && gvr.version === storageVersion,
    );
  }

  all(): ServedKind[] {
    return [...this.#kinds.values()];
  }

  hasGroupVersion(group: string, version: string): boolean {
    return this.all().some(({ row: { gvr } }) => gvr.group === group && gvr.version === version);
  }

  /** Replaces every version of one resource; an empty list removes it. */
  replace(group: string, resource: string, kinds: readonly ServedKind[]): void {
    for (const [key, { row }] of this.#kinds) {
      if (row.gvr.group === group && row.gvr.resource === resource) this.#kinds.delete(key);
    }
    for (const kind of kinds) this.#kinds.set(keyOf(kind.row.gvr), kind);
    this.#generation++;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: TableListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

function keyOf({ group, version, resource }: ResourceRow['gvr']): string {
  return `${group}/${version}/${resource}`;
}
