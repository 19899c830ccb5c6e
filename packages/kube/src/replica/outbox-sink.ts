/** The cloud's side of the outbox: what a node wrote is written here as that node, once, and nothing of it can block what follows. */
import {
  formatApiVersion,
  type Gvr,
  isStatus,
  type KubeObject,
  type Ref,
  type ResourceRow,
  type StatusError,
} from '@skerry/api';
import { type Logger, messageOf } from '@skerry/base';
import type { Client } from '../client/contract.ts';
import { parseKey } from '../store/key.ts';
import type { OutboxEntry, OutboxSink } from './contract.ts';
import { decodeEdgeWrite, type EdgeWrite, type FieldWrite, isSame, mirrorHash } from './edge-write.ts';
import type { IncludedEntries } from './included.ts';
import { isFed } from './links.ts';
import { statusFrom } from './shared-status.ts';

export interface OutboxSinkOptions {
  /** A client of the cloud's API that acts as `system:node:NAME`: the node authorizer decides what it may. */
  readonly clientFor: (node: string) => Client;
  readonly rows: () => Iterable<ResourceRow>;
  /** Shared with the state feed. */
  readonly included: IncludedEntries;
  readonly log: Logger;
  /** Asked where cloud and edge have both changed a field; without it the cloud wins. */
  readonly edgeWins?: (conflict: FieldConflict) => boolean;
  /** Hears of each entry that was dropped, for the audit log. */
  readonly onDropped?: (dropped: DroppedEntry) => void;
}

export interface FieldConflict {
  /** As the cloud has it. */
  readonly object: KubeObject;
  readonly path: readonly string[];
  /** The cloud's; undefined when it has none. */
  readonly current: unknown;
  /** The edge's; undefined when it has removed it. */
  readonly value: unknown;
}

export interface DroppedEntry {
  readonly node: string;
  readonly seq: number;
  readonly key: string;
  readonly op: string;
  readonly reason: string;
}

/** An entry that the server fails at (not: cannot be reached) so often is dropped. */
const MAX_FAULTS = 5;
/** Optimistic writes are repeated so often before the entry counts as a fault. */
const MAX_CONFLICTS = 8;

/** The same entry again is harmless: states are set, creations that find the object replace it, deletions that find none are done. */
export function createOutboxSink(options: OutboxSinkOptions): OutboxSink {
  const faults = new Map<string, Faults>();
  return async (node, entries) => {
    const counted = faultsAmong(entries, faults.get(node));
    faults.set(node, counted);
    const sink = new NodeSink(options, node, counted);
    const end = options.included.begin(node);
    try {
      const isSeen = await sink.applyAll(entries);
      faults.delete(node);
      const last = entries.at(-1);
      if (last !== undefined) options.included.note(node, last.seq, isSeen);
    } finally {
      end();
    }
  };
}

/** How often the server failed at an entry, by its sequence number. */
type Faults = Map<number, number>;

/** Only entries that are still sent are counted, so that a node has at most one batch of counts. */
function faultsAmong(entries: readonly OutboxEntry[], known: Faults = new Map()): Faults {
  const counted: Faults = new Map();
  for (const { seq } of entries) {
    const count = known.get(seq);
    if (count !== undefined) counted.set(seq, count);
  }
  return counted;
}

class NodeSink {
  readonly #options: OutboxSinkOptions;
  readonly #node: string;
  readonly #client: Client;
  readonly #faults: Faults;

  constructor(options: OutboxSinkOptions, node: string, faults: Faults) {
    this.#options = options;
    this.#node = node;
    this.#client = options.clientFor(node);
    this.#faults = faults;
  }

  /**
   * Entries of one object keep their order; different objects share the store's group commits.
   * Resolves to whether any of them is about an object that the node holds of the cloud.
   */
  async applyAll(entries: readonly OutboxEntry[]): Promise<boolean> {
    let isSeen = false;
    const lanes = new Map<string, Promise<void>>();
    for (const entry of entries) {
      const write = this.#decode(entry);
      if (write === undefined) continue;
      isSeen ||= write.op !== 'object' || isFed(write.key);
      const before = lanes.get(write.key) ?? Promise.resolve();
      lanes.set(
        write.key,
        before.then(() => this.#applyOrDrop(entry.seq, write)),
      );
    }
    const outcomes = await Promise.allSettled(lanes.values());
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return isSeen;
  }

  #decode(entry: OutboxEntry): EdgeWrite | undefined {
    try {
      return decodeEdgeWrite(entry.bytes);
    } catch (error) {
      this.#drop(entry.seq, { key: '', op: 'unknown' }, messageOf(error));
      return undefined;
    }
  }

  async #applyOrDrop(seq: number, write: EdgeWrite): Promise<void> {
    try {
      await this.#apply(write);
      this.#faults.delete(seq);
    } catch (error) {
      if (!isFinal(error) && !(isFault(error) && this.#isHopeless(seq))) throw error;
      this.#drop(seq, write, messageOf(error));
    }
  }

  #isHopeless(seq: number): boolean {
    const count = (this.#faults.get(seq) ?? 0) + 1;
    this.#faults.set(seq, count);
    return count >= MAX_FAULTS;
  }

  async #apply(write: EdgeWrite): Promise<void> {
    const row = this.#rowOf(write);
    const { namespace, name } = parseKey(write.key);
    const gvr: Gvr = { ...row.gvr, version: write.version };
    const ref: Ref = row.namespaced ? { gvr, namespace, name } : { gvr, name };
    switch (write.op) {
      case 'status':
        return this.#setStatus(ref, write.uid, write.status);
      case 'fields':
        return this.#setFields(ref, write.uid, write.fields);
      case 'delete':
        return this.#delete(ref, write.uid);
      case 'object':
        return this.#putObject(row, ref, write.object);
    }
  }

  #setStatus(ref: Ref, uid: string | undefined, status: unknown): Promise<void> {
    return this.#change(ref, uid, 'status', (object) => {
      const next = statusFrom(this.#node, object['status'], status);
      return isSame(object['status'], next) ? undefined : { ...object, status: next };
    });
  }

  /** Where the cloud has changed a field since and wins, the edge learns its value with the next state. */
  #setFields(ref: Ref, uid: string | undefined, fields: readonly FieldWrite[]): Promise<void> {
    return this.#change(ref, uid, undefined, (object) => {
      const next = structuredClone(object);
      const { edgeWins = () => false } = this.#options;
      const changed = fields.filter((field) =>
        setField(next, field, (current) => edgeWins({ object, path: field.path, current, value: field.value })),
      );
      return changed.length === 0 ? undefined : next;
    });
  }

  /** Reads, changes and writes back; again when someone else was faster. */
  async #change(
    ref: Ref,
    uid: string | undefined,
    subresource: string | undefined,
    change: (object: KubeObject) => KubeObject | undefined,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const object = await this.#client.get<KubeObject>(ref);
      // Another object under the same name: what was said was not about it.
      if (uid !== undefined && object.metadata.uid !== uid) return;
      const next = change(object);
      if (next === undefined) return;
      try {
        await this.#client.update(ref.gvr, next, subresource === undefined ? {} : { subresource });
        return;
      } catch (error) {
        if (!isStatus(error, 'Conflict') || attempt >= MAX_CONFLICTS) throw error;
      }
    }
  }

  async #delete(ref: Ref, uid: string | undefined): Promise<void> {
    try {
      await this.#client.delete(ref, { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { uid }) });
    } catch (error) {
      // Gone already, or another object under the same name.
      if (!isStatus(error, 'NotFound', 'Conflict')) throw error;
    }
  }

  async #putObject(row: ResourceRow, ref: Ref, object: KubeObject): Promise<void> {
    const made = withoutIdentity(object);
    try {
      await this.#client.create(ref.gvr, made);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
      if (!(await this.#overwrite(row, ref, made))) return;
    }
    if (row.subresources.includes('status') && made['status'] !== undefined) {
      await this.#setStatus(ref, undefined, made['status']);
    }
  }

  /** False when what is there is another one. Events are a node's to write but not to read; a pod is never changed. */
  async #overwrite(row: ResourceRow, ref: Ref, made: KubeObject): Promise<boolean> {
    switch (row.gvr.resource) {
      case 'events':
        await this.#client.patch(ref, made, { type: 'merge' });
        return true;
      case 'pods':
        return mirrorHash(await this.#client.get<KubeObject>(ref)) === mirrorHash(made);
      default:
        await this.#change(ref, undefined, undefined, (there) => replacement(there, made));
        return true;
    }
  }

  #rowOf({ key, version }: EdgeWrite): ResourceRow {
    const { group, resource } = parseKey(key);
    for (const row of this.#options.rows()) {
      if (row.gvr.group === group && row.gvr.resource === resource && row.gvr.version === version) return row;
    }
    throw new UnknownKind(`no such resource: ${resource}, ${formatApiVersion({ group, version })}`);
  }

  #drop(seq: number, { key, op }: Pick<EdgeWrite, 'key'> & { readonly op: string }, reason: string): void {
    const dropped = { node: this.#node, seq, key, op, reason };
    this.#options.log.warn(dropped, 'outbox entry dropped');
    this.#options.onDropped?.(dropped);
  }
}

class UnknownKind extends Error {}

/** The server has understood and will never take it: gone, not the node's, not valid. */
function isFinal(error: unknown): boolean {
  if (error instanceof UnknownKind || error instanceof TypeError) return true;
  if (!isStatus(error)) return false;
  return error.code >= 400 && error.code < 500 && !isForLater(error);
}

/** Who the cloud takes the node for, or how much it has to do, is nothing about the entry. */
function isForLater(error: StatusError): boolean {
  return isStatus(error, 'TooManyRequests', 'Unauthorized', 'Timeout');
}

function isFault(error: unknown): boolean {
  return isStatus(error, 'InternalError', 'Conflict') || !isStatus(error);
}

/** uid and times are the cloud's to give. */
function withoutIdentity(object: KubeObject): KubeObject {
  const { uid: _uid, resourceVersion: _version, generation: _generation, ...metadata } = object.metadata;
  delete metadata.managedFields;
  return { ...object, metadata };
}

/** What to write over the object that is there; undefined when it says the same. */
function replacement(there: KubeObject, made: KubeObject): KubeObject | undefined {
  if (made.kind === 'Node') return withOwnMetadata(there, made);
  const { uid, resourceVersion, creationTimestamp, generation, managedFields } = there.metadata;
  const identity = { uid, resourceVersion, creationTimestamp, generation, managedFields };
  const known = Object.fromEntries(Object.entries(identity).filter(([, value]) => value !== undefined));
  const next = { ...made, metadata: { ...made.metadata, ...known } };
  return isSame(next, there) ? undefined : next;
}

/** Of a node that the cloud knows already, the node adds to labels and annotations; the rest is the cloud's. */
function withOwnMetadata(there: KubeObject, { metadata }: KubeObject): KubeObject | undefined {
  const next = {
    ...there,
    metadata: {
      ...there.metadata,
      labels: { ...there.metadata.labels, ...metadata.labels },
      annotations: { ...there.metadata.annotations, ...metadata.annotations },
    },
  };
  return isSame(next, there) ? undefined : next;
}

/** Sets the field when the cloud still has what the edge had, or the edge wins; false when nothing is to be done. */
function setField(
  object: KubeObject,
  { path, bases, value }: FieldWrite,
  wins: (current: unknown) => boolean,
): boolean {
  const last = path.at(-1);
  if (last === undefined) return false;
  let parent: Record<string, unknown> = object;
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(parent, name)) define(parent, name, {});
    const child = parent[name];
    if (typeof child !== 'object' || child === null || Array.isArray(child)) return false;
    parent = child as Record<string, unknown>;
  }
  const current = Object.hasOwn(parent, last) ? parent[last] : undefined;
  if (isSame(current, value)) return false;
  if (!bases.some((base) => isSame(base.value, current)) && !wins(current)) return false;
  if (value === undefined) delete parent[last];
  else define(parent, last, value);
  return true;
}

/** An own property whatever its name, `__proto__` too: the path comes from a node. */
function define(parent: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(parent, name, { value, writable: true, enumerable: true, configurable: true });
}
