/** Joins with tables: each row asks for its partners and goes on with them, in order, also where the table takes its time. */
import type { Input, LookupNode, Row, Tuple, Value } from '../sql/index.ts';
import { packed, unpacked } from './meta.ts';
import type { RowOperator, SavedState } from './operator.ts';
import { type Counters, countersOf, type Runtime } from './runtime.ts';

export interface LookupTable {
  /** Rows whose fields equal all of these. */
  find(keys: Readonly<Record<string, Value>>): readonly Row[] | Promise<readonly Row[]>;
}

interface Waiting {
  readonly input: Tuple;
  readonly time: number;
  /** Undefined until the table has answered; then, what the row goes on with. */
  partners: Partners | undefined;
}

/** A row that the table has failed goes no further, as one that any expression fails. */
type Partners = readonly Row[] | 'failed';

interface Saved {
  readonly waiting: readonly { readonly input: Tuple; readonly time: number }[];
  readonly advanced: number;
}

export class Lookup implements RowOperator {
  readonly counters: Counters;
  readonly #node: LookupNode;
  readonly #table: LookupTable;
  readonly #runtime: Runtime;
  readonly #next: RowOperator;
  #waiting: Waiting[] = [];
  #advanced = Number.NEGATIVE_INFINITY;

  constructor(node: LookupNode, table: LookupTable, runtime: Runtime, next: RowOperator) {
    this.counters = countersOf(node);
    this.#node = node;
    this.#table = table;
    this.#runtime = runtime;
    this.#next = next;
  }

  push(input: Input, time: number): void {
    this.counters.rowsIn++;
    const found = this.#find(input as Tuple, time);
    if (found === undefined) return;
    if (!(found instanceof Promise) && this.#waiting.length === 0) this.#goOn(input as Tuple, time, found);
    else if (this.#runtime.takeRow()) this.#wait(input as Tuple, time, found);
  }

  advance(time: number): void {
    this.#advanced = time;
    if (this.#waiting.length === 0) this.#next.advance(time);
  }

  due(): number | undefined {
    return this.#next.due();
  }

  save(): SavedState {
    return { waiting: this.#waiting.map(({ input, time }) => packed({ input, time })), advanced: this.#advanced };
  }

  load(state: SavedState): void {
    const { waiting, advanced } = state as Saved;
    this.#advanced = advanced;
    for (const { input, time } of waiting.map(unpacked)) this.push(input, time);
  }

  /** Undefined when the row has failed. */
  #find(input: Tuple, time: number): readonly Row[] | Promise<readonly Row[]> | undefined {
    const { context } = this.#runtime;
    context.eventTime = time;
    try {
      const keys = Object.fromEntries(this.#node.keys.map(({ field, value }) => [field, value(input, context)]));
      return this.#table.find(keys);
    } catch (error) {
      this.#runtime.fail(this.counters, error);
      return undefined;
    }
  }

  #wait(input: Tuple, time: number, found: readonly Row[] | Promise<readonly Row[]>): void {
    const waiting: Waiting = { input, time, partners: undefined };
    this.#waiting.push(waiting);
    if (!(found instanceof Promise)) {
      waiting.partners = found;
      return;
    }
    found
      .catch((error: unknown): Partners => {
        this.#runtime.fail(this.counters, error);
        return 'failed';
      })
      .then((partners) => {
        waiting.partners = partners;
        this.#drain();
      })
      .catch((error: unknown) => this.#runtime.fail(this.counters, error));
  }

  #drain(): void {
    for (let next = this.#waiting[0]; next?.partners !== undefined; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#runtime.releaseRows(1);
      if (next.partners !== 'failed') this.#goOn(next.input, next.time, next.partners);
    }
    if (this.#waiting.length === 0 && this.#advanced > Number.NEGATIVE_INFINITY) this.#next.advance(this.#advanced);
  }

  #goOn(input: Tuple, time: number, partners: readonly Row[]): void {
    const { table, type } = this.#node;
    this.#runtime.input = input;
    this.#runtime.context.eventTime = time;
    let isMatched = false;
    for (const partner of partners) {
      const both = [...input];
      both[table.index] = partner;
      if (!this.#holds(both)) continue;
      isMatched = true;
      this.#pass(both, time);
    }
    if (!isMatched && type === 'left') this.#pass(input, time);
  }

  #holds(input: Tuple): boolean {
    if (this.#node.rest === undefined) return true;
    try {
      return this.#node.rest(input, this.#runtime.context);
    } catch (error) {
      this.#runtime.fail(this.counters, error);
      return false;
    }
  }

  #pass(input: Tuple, time: number): void {
    this.counters.rowsOut++;
    this.#next.push(input, time);
  }
}
