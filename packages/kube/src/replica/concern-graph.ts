/**
 * Which keys concern which node, kept as objects come and go: a graph from objects to what they need, and for each key
 * the nodes that reach it. A change costs its own links times the nodes it concerns; nothing is ever scanned for one node.
 */
import type { StoreKey } from '../store/contract.ts';
import { EVERY_NODE, type Links, NO_LINKS } from './links.ts';

export type OnMembership = (node: string, key: StoreKey) => void;

const NOBODY: ReadonlyMap<string, number> = new Map();
const NOTHING: ReadonlySet<StoreKey> = new Set();

/** A key that concerns nodes. */
interface Reached {
  /** The text that all links to it share: there are many more links than keys. */
  readonly key: StoreKey;
  /** In how many ways each node reaches it. Invariant: never 0. */
  readonly ways: Map<string, number>;
}

export class ConcernGraph {
  readonly #links = new Map<StoreKey, Links>();
  /** For each key the objects that follow it: the other end of `sources`. */
  readonly #followers = new Map<StoreKey, Set<StoreKey>>();
  readonly #reached = new Map<StoreKey, Reached>();
  readonly #members = new Map<string, Set<StoreKey>>();
  readonly #onMembership: OnMembership;

  /** `onMembership` hears of each key that begins or ceases to concern a node. */
  constructor(onMembership: OnMembership) {
    this.#onMembership = onMembership;
  }

  concerns(node: string, key: StoreKey): boolean {
    const ways = this.#reached.get(key)?.ways;
    return ways !== undefined && (ways.has(node) || ways.has(EVERY_NODE));
  }

  /** The nodes that `key` concerns; EVERY_NODE may be among them. */
  nodesOf(key: StoreKey): Iterable<string> {
    return (this.#reached.get(key)?.ways ?? NOBODY).keys();
  }

  /** All keys that concern `node`, whether such an object exists or not; each once. */
  *keysOf(node: string): Generator<StoreKey> {
    const everywhere = this.#members.get(EVERY_NODE) ?? NOTHING;
    yield* everywhere;
    for (const key of this.#members.get(node) ?? NOTHING) if (!everywhere.has(key)) yield key;
  }

  /** Replaces what the object under `key` says; NO_LINKS when it is gone. */
  set(key: StoreKey, links: Links): void {
    const before = this.#links.get(key) ?? NO_LINKS;
    const gone = added(links.targets, before.targets);
    // What is new comes before what is gone: what both reach does not leave in between. And while nodes come and go, every
    // target that was counted for the nodes there are is in the links, and no other.
    for (const target of added(before.targets, links.targets)) this.#addAll(key, target);
    this.#links.set(key, { ...links, targets: [...links.targets, ...gone] });
    for (const source of added(before.sources, links.sources)) this.#follow(source, key);
    for (const node of added(before.nodes, links.nodes)) this.#add(node, key);
    for (const node of added(links.nodes, before.nodes)) this.#remove(node, key);
    for (const source of added(links.sources, before.sources)) this.#unfollow(source, key);
    for (const target of gone) this.#removeAll(key, target);
    if (isEmpty(links)) this.#links.delete(key);
    else
      this.#links.set(key, {
        ...links,
        targets: links.targets.map((target) => this.#reached.get(target)?.key ?? target),
      });
  }

  #follow(source: StoreKey, key: StoreKey): void {
    const followers = this.#followers.get(source);
    if (followers === undefined) this.#followers.set(source, new Set([key]));
    else followers.add(key);
    this.#addAll(source, key);
  }

  #unfollow(source: StoreKey, key: StoreKey): void {
    const followers = this.#followers.get(source);
    followers?.delete(key);
    if (followers?.size === 0) this.#followers.delete(source);
    this.#removeAll(source, key);
  }

  /** Whoever reaches `from` reaches `to` in one way more. */
  #addAll(from: StoreKey, to: StoreKey): void {
    for (const node of this.nodesOf(from)) this.#add(node, to);
  }

  #removeAll(from: StoreKey, to: StoreKey): void {
    for (const node of this.nodesOf(from)) this.#remove(node, to);
  }

  #add(node: string, key: StoreKey): void {
    const ways = this.#reached.get(key)?.ways;
    const count = ways?.get(node) ?? 0;
    if (ways === undefined) this.#reached.set(key, { key, ways: new Map([[node, 1]]) });
    else ways.set(node, count + 1);
    if (count > 0) return;
    const members = this.#members.get(node);
    if (members === undefined) this.#members.set(node, new Set([key]));
    else members.add(key);
    this.#onMembership(node, key);
    for (const next of this.#nextOf(key)) this.#add(node, next);
  }

  #remove(node: string, key: StoreKey): void {
    const ways = this.#reached.get(key)?.ways;
    const count = ways?.get(node) ?? 0;
    if (ways === undefined || count === 0) return;
    if (count > 1) {
      ways.set(node, count - 1);
      return;
    }
    ways.delete(node);
    if (ways.size === 0) this.#reached.delete(key);
    const members = this.#members.get(node);
    members?.delete(key);
    if (members?.size === 0) this.#members.delete(node);
    this.#onMembership(node, key);
    for (const next of this.#nextOf(key)) this.#remove(node, next);
  }

  *#nextOf(key: StoreKey): Generator<StoreKey> {
    yield* this.#links.get(key)?.targets ?? [];
    yield* this.#followers.get(key) ?? NOTHING;
  }
}

function isEmpty({ nodes, targets, sources }: Links): boolean {
  return nodes.length === 0 && targets.length === 0 && sources.length === 0;
}

function added(before: readonly string[], after: readonly string[]): readonly string[] {
  return before.length === 0 ? after : after.filter((text) => !before.includes(text));
}
