import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { Change, StoredObject } from './contract.ts';
import type { SqliteStore } from './sqlite-store.ts';
import { keyOf, revisionOf } from './subscribers.ts';
import { nextTurn, openTestStore, type TemporaryDirectory, temporaryDirectory } from './testing/temporary-store.ts';

// Random histories against the plainest store there is: every state of every revision, kept in an array.

const KEYS = [
  '/configmaps/a/x',
  '/configmaps/a/y',
  '/configmaps/b/x',
  '/pods/a/x',
  '/pods/a-b/x',
  'apps/deployments/a/x',
];
const PREFIXES = ['', '/', '/pods/', '/configmaps/a/', '/configmaps/', 'apps/deployments/', 'none/'];

type Step =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly json: string;
      readonly based: 'any' | 'current' | 'absent' | 'stale';
    }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'settle' }
  | { readonly type: 'compact'; readonly keep: number }
  | { readonly type: 'reopen' }
  | { readonly type: 'subscribe'; readonly prefix: string; readonly back: number }
  | { readonly type: 'list'; readonly prefix: string; readonly back: number; readonly limit: number };

const key = fc.constantFrom(...KEYS);
const prefix = fc.constantFrom(...PREFIXES);
const back = fc.nat(12);
const based = fc.constantFrom('any', 'current', 'absent', 'stale') as fc.Arbitrary<
  'any' | 'current' | 'absent' | 'stale'
>;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('put' as const), key, json: fc.string({ maxLength: 4 }), based }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  { weight: 4, arbitrary: fc.constant({ type: 'settle' as const }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('compact' as const), keep: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'reopen' as const }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('subscribe' as const), prefix, back }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('list' as const), prefix, back, limit: fc.integer({ min: 1, max: 7 }) }),
  },
);

test('random histories: lists of every revision, subscriptions from everywhere, compaction and reopening agree with a model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      using directory = temporaryDirectory();
      const run = new Run(directory);
      for (const next of steps) await run.take(next);
      await run.finish();
    }),
    { numRuns: runs(150) },
  );
});

type State = ReadonlyMap<string, StoredObject>;

interface Listener {
  readonly prefix: string;
  readonly from: number;
  readonly heard: Change[];
}

class Run {
  readonly #file: string;
  #store: SqliteStore;
  /** The state at each revision. */
  readonly #states: State[] = [new Map()];
  readonly #changes: Change[] = [];
  #listeners: Listener[] = [];

  constructor(directory: TemporaryDirectory) {
    this.#file = directory.path('store.db');
    this.#store = this.#open();
  }

  async take(step: Step): Promise<void> {
    switch (step.type) {
      case 'put':
        return this.#put(step);
      case 'delete':
        return this.#delete(step.key);
      case 'settle':
        return nextTurn();
      case 'compact':
        this.#store.compact(step.keep);
        return;
      case 'reopen':
        await this.#settle();
        this.#checkListeners();
        this.#listeners = [];
        await this.#store.close();
        this.#store = this.#open();
        return;
      case 'subscribe':
        return this.#subscribe(step.prefix, this.#revisionBack(step.back));
      case 'list':
        return this.#list(step.prefix, this.#revisionBack(step.back), step.limit);
    }
  }

  async finish(): Promise<void> {
    await this.#settle();
    this.#checkListeners();
    assert.deepEqual(this.#store.findDamage(), []);
    await this.#store.close();
  }

  #open(): SqliteStore {
    const store = openTestStore(this.#file, { retention: { minWrites: 5, maxWrites: 20, maxAgeMs: 0 } });
    assert.equal(store.revision, this.#states.length - 1);
    return store;
  }

  get #now(): State {
    return this.#states.at(-1) ?? new Map();
  }

  #put({ key, json, based }: Extract<Step, { type: 'put' }>): void {
    const previous = this.#now.get(key);
    const ifRevision = { any: undefined, current: previous?.revision ?? 0, absent: 0, stale: 1_000 }[based];
    const written = this.#store.put(key, json, ifRevision === undefined ? {} : { ifRevision });
    if (ifRevision !== undefined && ifRevision !== (previous?.revision ?? 0)) {
      void assert.rejects(written);
      return;
    }
    const object = { key, revision: this.#states.length, json };
    this.#states.push(new Map(this.#now).set(key, object));
    this.#changes.push(previous === undefined ? { type: 'put', object } : { type: 'put', object, previous });
    void written.then((stored) => assert.deepEqual(stored, object));
  }

  #delete(key: string): void {
    const previous = this.#now.get(key);
    const deleted = this.#store.delete(key);
    if (previous === undefined) {
      void assert.rejects(deleted);
      return;
    }
    const revision = this.#states.length;
    const state = new Map(this.#now);
    state.delete(key);
    this.#states.push(state);
    this.#changes.push({ type: 'delete', key, revision, previous });
    void deleted.then((result) => assert.deepEqual(result, { revision, previous }));
  }

  #subscribe(prefix: string, from: number): void {
    const listener: Listener = { prefix, from, heard: [] };
    if (from < this.#store.compactedRevision) {
      assert.throws(() => this.#store.subscribe(prefix, from, () => {}), /too old resource version/);
      return;
    }
    this.#store.subscribe(prefix, from, (changes) => listener.heard.push(...changes));
    this.#listeners.push(listener);
  }

  #list(prefix: string, revision: number, limit: number): void {
    if (revision < this.#store.compactedRevision) {
      assert.throws(() => this.#store.list(prefix, { revision }), /too old resource version/);
      return;
    }
    const expected = [...(this.#states[revision] ?? new Map<string, StoredObject>()).values()]
      .filter((object) => object.key.startsWith(prefix))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const items: StoredObject[] = [];
    for (let remaining = 1; remaining > 0; ) {
      const after = items.at(-1)?.key;
      const page = this.#store.list(prefix, { revision, limit, ...(after === undefined ? {} : { after }) });
      assert.equal(page.revision, revision);
      assert.equal(page.remaining, expected.length - items.length - page.items.length);
      items.push(...page.items);
      remaining = page.remaining;
    }
    assert.deepEqual(items, expected);
    if (revision === this.#store.revision) assert.equal(this.#store.count(prefix), expected.length);
  }

  #checkListeners(): void {
    for (const { prefix, from, heard } of this.#listeners) {
      const expected = this.#changes.filter((change) => keyOf(change).startsWith(prefix) && revisionOf(change) > from);
      assert.deepEqual(heard, expected);
    }
  }

  /** Several turns: a late subscriber reads the log in portions. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) await nextTurn();
  }

  #revisionBack(back: number): number {
    return Math.max(0, this.#states.length - 1 - back);
  }
}
