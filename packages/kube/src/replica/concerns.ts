/** What concerns each node, followed from the store: the replica sends it, the node authorizer allows it. */
import type { KubeObject, ResourceRow } from '@skerry/api';
import { type Logger, messageOf } from '@skerry/base';
import type { Change, Store, StoredObject, StoreKey } from '../store/contract.ts';
import { parseKey } from '../store/key.ts';
import { ConcernGraph } from './concern-graph.ts';
import { EVERY_NODE, type LinkRule, type Links, linkRule, linksOf, NO_LINKS } from './links.ts';

export interface ConcernsOptions {
  readonly store: Store;
  /** The kinds served now, in any version; read again at `refresh`. */
  readonly rows: () => Iterable<ResourceRow>;
  readonly log: Logger;
}

export interface Concerns extends Disposable {
  /** Whether the object under `key` is `node`'s business. */
  concerns(node: string, key: StoreKey): boolean;
  /** All keys that concern `node`, whether such an object exists yet or not. */
  keysOf(node: string): Iterable<StoreKey>;
  /** Calls back with each key that was written, or began or ceased to concern `node`; the returned function ends it. */
  follow(node: string, onTouch: (key: StoreKey) => void): () => void;
  /** The store's revision up to which all this is true. */
  readonly revision: number;
  /** Kinds were added or removed: looks at all their objects again. */
  refresh(): void;
  close(): void;
}

export function openConcerns(options: ConcernsOptions): Concerns {
  return new StoreConcerns(options);
}

class StoreConcerns implements Concerns {
  readonly #options: ConcernsOptions;
  readonly #graph = new ConcernGraph((node, key) => this.#touch(node, key));
  readonly #followers = new Map<string, Set<(key: StoreKey) => void>>();
  #rules = new Map<string, LinkRule>();
  #revision = 0;
  #subscription: Disposable;

  constructor(options: ConcernsOptions) {
    this.#options = options;
    this.#rules = rulesByKind(options.rows(), this.#rules);
    const { items, revision } = options.store.list('');
    for (const object of items) this.#read(object);
    this.#revision = revision;
    this.#subscription = options.store.subscribe('', revision, (changes) => this.#onChanges(changes));
  }

  get revision(): number {
    return this.#revision;
  }

  concerns(node: string, key: StoreKey): boolean {
    return this.#graph.concerns(node, key);
  }

  keysOf(node: string): Iterable<StoreKey> {
    return this.#graph.keysOf(node);
  }

  follow(node: string, onTouch: (key: StoreKey) => void): () => void {
    const followers = this.#followers.get(node) ?? new Set();
    followers.add(onTouch);
    this.#followers.set(node, followers);
    return () => {
      followers.delete(onTouch);
      if (followers.size === 0 && this.#followers.get(node) === followers) this.#followers.delete(node);
    };
  }

  refresh(): void {
    const before = this.#rules;
    this.#rules = rulesByKind(this.#options.rows(), before);
    const changed = [...new Set([...before.keys(), ...this.#rules.keys()])].filter(
      (kind) => before.get(kind) !== this.#rules.get(kind),
    );
    for (const kind of changed) for (const object of this.#options.store.list(`${kind}/`).items) this.#read(object);
  }

  close(): void {
    this.#subscription[Symbol.dispose]();
    this.#followers.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #onChanges(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'put') this.#read(change.object);
      else this.#graph.set(change.key, NO_LINKS);
      const { key, revision } = change.type === 'put' ? change.object : change;
      this.#revision = revision;
      for (const node of this.#graph.nodesOf(key)) this.#touch(node, key);
    }
  }

  #read(object: StoredObject): void {
    this.#graph.set(object.key, this.#linksOf(object));
  }

  #linksOf({ key, json }: StoredObject): Links {
    const at = parseKey(key);
    const rule = this.#rules.get(`${at.group}/${at.resource}`);
    if (rule === undefined) return NO_LINKS;
    try {
      const object = rule.readsContent ? (JSON.parse(json) as KubeObject) : undefined;
      return linksOf(rule, at, object, this.#isNamespaced);
    } catch (error) {
      this.#options.log.error({ key, error: messageOf(error) }, 'stored object is not readable');
      return NO_LINKS;
    }
  }

  readonly #isNamespaced = (group: string, resource: string): boolean =>
    this.#rules.get(`${group}/${resource}`)?.row.namespaced ?? true;

  #touch(node: string, key: StoreKey): void {
    if (this.#followers.size === 0) return;
    if (node === EVERY_NODE) for (const followers of this.#followers.values()) call(followers, key);
    else call(this.#followers.get(node), key);
  }
}

function call(followers: Iterable<(key: StoreKey) => void> | undefined, key: StoreKey): void {
  for (const follower of followers ?? []) follower(key);
}

/** Rules of rows that are the same stay the same. */
function rulesByKind(rows: Iterable<ResourceRow>, before: ReadonlyMap<string, LinkRule>): Map<string, LinkRule> {
  const rules = new Map<string, LinkRule>();
  for (const row of rows) {
    const kind = `${row.gvr.group}/${row.gvr.resource}`;
    const known = before.get(kind);
    rules.set(kind, known?.row === row ? known : linkRule(row));
  }
  return rules;
}
