/** What a window holds: its rows, or only the groups that they add up to. */
import type { AggregateNode, AggregateState, Input, Saved, Value } from '../sql/index.ts';
import type { Item } from './item.ts';
import { packed, unpacked } from './meta.ts';
import type { SavedState } from './operator.ts';
import type { Counters, Runtime } from './runtime.ts';

export interface Content {
  readonly isEmpty: boolean;
  /** A row, with the analytic results that stand in the context. */
  add(input: Input, time: number): void;
  /** Takes in what another one of the same kind holds, whose rows came later; that one stays as it is. */
  absorb(later: Content): void;
  items(): readonly Item[];
  /** What it has taken of the flow’s bounds is given back. */
  release(): void;
  save(): SavedState;
}

/** Makes contents of one kind. `borrowing`: for one evaluation only, so that its rows and keys are not counted twice. */
export interface ContentKind {
  create(borrowing?: boolean): Content;
  load(state: SavedState): Content;
}

/** Rows as they came. */
export function rowContents(runtime: Runtime, keepsAnalytic: boolean): ContentKind {
  return {
    create: (borrowing = false) => new RowContent(runtime, keepsAnalytic, borrowing),
    load: (state) => {
      const content = new RowContent(runtime, keepsAnalytic, false);
      for (const item of state as readonly Item[]) content.take(unpacked(item));
      return content;
    },
  };
}

class RowContent implements Content {
  readonly #runtime: Runtime;
  readonly #keepsAnalytic: boolean;
  readonly #isBorrowing: boolean;
  readonly #items: Item[] = [];

  constructor(runtime: Runtime, keepsAnalytic: boolean, isBorrowing: boolean) {
    this.#runtime = runtime;
    this.#keepsAnalytic = keepsAnalytic;
    this.#isBorrowing = isBorrowing;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  add(input: Input, time: number): void {
    const { analytic } = this.#runtime.context;
    this.take(this.#keepsAnalytic ? { input, time, analytic: analytic.slice() } : { input, time });
  }

  take(item: Item): void {
    if (this.#isBorrowing || this.#runtime.takeRow()) this.#items.push(item);
  }

  absorb(later: Content): void {
    for (const item of later.items()) this.take(item);
  }

  items(): readonly Item[] {
    return this.#items;
  }

  release(): void {
    if (!this.#isBorrowing) this.#runtime.releaseRows(this.#items.length);
  }

  save(): SavedState {
    return this.#items.map(packed);
  }
}

export interface GroupOptions {
  readonly runtime: Runtime;
  readonly node: AggregateNode;
  readonly counters: Counters;
  /** Analytic calls on rows come before, and their results stay with a group’s first row. */
  readonly keepsAnalytic: boolean;
}

/** Groups, with their aggregates as far as they are. */
export function groupContents(options: GroupOptions): ContentKind {
  return {
    create: (borrowing = false) => new GroupContent(options, borrowing),
    load: (state) => {
      const content = new GroupContent(options, false);
      for (const group of state as readonly SavedGroup[]) content.loadGroup(unpacked(group));
      return content;
    },
  };
}

interface Group {
  readonly states: readonly AggregateState[];
  /** The first row, where something reads it. */
  readonly input: Input;
  readonly time: number;
  readonly analytic: Value[] | undefined;
}

interface SavedGroup {
  readonly key: string;
  readonly states: readonly Saved[];
  readonly input: Input;
  readonly time: number;
  readonly analytic: Value[] | undefined;
}

/** Of a group whose rows nobody reads. */
const NO_INPUT: Input = Object.freeze({});

class GroupContent implements Content {
  readonly #runtime: Runtime;
  readonly #node: AggregateNode;
  readonly #counters: Counters;
  readonly #keepsAnalytic: boolean;
  readonly #isBorrowing: boolean;
  readonly #groups = new Map<string, Group>();

  constructor({ runtime, node, counters, keepsAnalytic }: GroupOptions, isBorrowing: boolean) {
    this.#runtime = runtime;
    this.#node = node;
    this.#counters = counters;
    this.#keepsAnalytic = keepsAnalytic && node.needsRow;
    this.#isBorrowing = isBorrowing;
  }

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  add(input: Input, time: number): void {
    const { key, calls } = this.#node;
    const { context } = this.#runtime;
    this.#counters.rowsIn++;
    try {
      const name = key === undefined ? '' : key(input, context);
      const group = this.#groups.get(name) ?? this.#open(name, input, time);
      if (group === undefined) return;
      const { states } = group;
      for (let slot = 0; slot < calls.length; slot++) calls[slot]?.add(states[slot] as AggregateState, input, context);
    } catch (error) {
      this.#runtime.fail(this.#counters, error);
    }
  }

  absorb(later: Content): void {
    const { calls } = this.#node;
    for (const [name, { states, input, time, analytic }] of (later as GroupContent).#groups) {
      let own = this.#groups.get(name);
      if (own === undefined) {
        if (!this.#hasRoom()) continue;
        own = { states: calls.map((call) => call.create()), input, time, analytic };
        this.#groups.set(name, own);
      }
      for (const [slot, call] of calls.entries())
        call.merge(own.states[slot] as AggregateState, states[slot] as AggregateState);
    }
  }

  items(): readonly Item[] {
    const { calls } = this.#node;
    const items: Item[] = [];
    for (const { states, input, time, analytic } of this.#groups.values()) {
      const aggregates: Value[] = [];
      for (const [slot, call] of calls.entries()) aggregates[call.slot] = call.result(states[slot] as AggregateState);
      items.push({ input, time, aggregates, ...(analytic === undefined ? {} : { analytic }) });
    }
    this.#counters.rowsOut += items.length;
    return items;
  }

  release(): void {
    if (!this.#isBorrowing) this.#runtime.releaseKeys(this.#groups.size);
  }

  save(): SavedState {
    const { calls } = this.#node;
    return [...this.#groups].map(([key, { states, input, time, analytic }]) => {
      const saved = calls.map((call, slot) => call.save(states[slot] as AggregateState));
      return packed<SavedGroup>({ key, states: saved, input, time, analytic });
    });
  }

  loadGroup({ key, states, input, time, analytic }: SavedGroup): void {
    if (!this.#hasRoom()) return;
    const { calls } = this.#node;
    const loaded = calls.map((call, slot) => call.load(states[slot] ?? null));
    this.#groups.set(key, { states: loaded, input, time, analytic });
  }

  #open(name: string, input: Input, time: number): Group | undefined {
    if (!this.#hasRoom()) return undefined;
    const { calls, needsRow } = this.#node;
    const group: Group = {
      states: calls.map((call) => call.create()),
      input: needsRow ? input : NO_INPUT,
      time,
      analytic: this.#keepsAnalytic ? this.#runtime.context.analytic.slice() : undefined,
    };
    this.#groups.set(name, group);
    return group;
  }

  #hasRoom(): boolean {
    return this.#isBorrowing || this.#runtime.takeKey();
  }
}
