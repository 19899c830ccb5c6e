/**
 * Sliding windows: each row, or each that meets a condition, gives out what was there for so long before it. Rows are kept in
 * blocks, each with what its rows add up to, so that a window is a few rows at its edges and whole blocks between them.
 */
import type { EvalContext, Input, Predicate, Value } from '../../sql/index.ts';
import type { Content } from '../content.ts';
import { packed, unpacked } from '../meta.ts';
import type { SavedState } from '../operator.ts';
import type { Runtime } from '../runtime.ts';
import type { Window, WindowSettings } from './window.ts';

export interface SlidingShape {
  readonly length: number;
  /** A window is given out so long after the row that asked for it, with what came meanwhile. */
  readonly delay: number;
}

const BLOCK_ROWS = 64;

interface Kept {
  readonly input: Input;
  readonly time: number;
  readonly analytic: Value[];
}

interface Block {
  readonly rows: Kept[];
  /** Of all its rows, once it is full. */
  whole: Content | undefined;
}

interface SavedSliding {
  readonly rows: readonly Kept[];
  readonly triggers: readonly number[];
}

export class SlidingWindow implements Window {
  readonly #shape: SlidingShape;
  readonly #trigger: Predicate | undefined;
  readonly #runtime: Runtime;
  readonly #context: EvalContext;
  readonly #settings: WindowSettings;
  #blocks: Block[] = [];
  /** Times of rows whose windows are still to come. */
  #triggers: number[] = [];

  constructor(shape: SlidingShape, trigger: Predicate | undefined, runtime: Runtime, settings: WindowSettings) {
    this.#shape = shape;
    this.#trigger = trigger;
    this.#runtime = runtime;
    this.#context = runtime.context;
    this.#settings = settings;
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0 && this.#triggers.length === 0;
  }

  push(input: Input, time: number, isIn: boolean): void {
    this.advance(time);
    if (isIn) this.#keep(input, time);
    if (this.#trigger !== undefined && !this.#trigger(input, this.#context)) return;
    if (this.#shape.delay === 0) this.#give(time);
    else this.#triggers.push(time);
  }

  advance(time: number): void {
    const { delay, length } = this.#shape;
    for (let next = this.#triggers[0]; next !== undefined && next + delay < time; next = this.#triggers[0]) {
      this.#triggers.shift();
      this.#give(next);
    }
    this.#forget((this.#triggers[0] ?? time) - length);
  }

  due(): number | undefined {
    const [next] = this.#triggers;
    return next === undefined ? undefined : next + this.#shape.delay + 1;
  }

  save(): SavedState {
    return { rows: this.#blocks.flatMap(({ rows }) => rows.map(packed)), triggers: this.#triggers };
  }

  load(state: SavedState): void {
    const { rows, triggers } = state as SavedSliding;
    for (const { input, time, analytic } of rows.map(unpacked)) {
      this.#context.analytic = analytic;
      this.#keep(input, time);
    }
    this.#triggers = [...triggers];
  }

  release(): void {
    for (const block of this.#blocks) this.#release(block);
    this.#blocks = [];
  }

  #keep(input: Input, time: number): void {
    if (!this.#runtime.takeRow()) return;
    let block = this.#blocks.at(-1);
    if (block === undefined || block.rows.length === BLOCK_ROWS) {
      block = { rows: [], whole: undefined };
      this.#blocks.push(block);
    }
    block.rows.push({ input, time, analytic: this.#context.analytic.slice() });
    if (block.rows.length === BLOCK_ROWS) block.whole = this.#contentOf(block.rows);
  }

  #give(trigger: number): void {
    const from = trigger - this.#shape.length;
    const until = trigger + this.#shape.delay;
    const { analytic } = this.#context;
    const whole = this.#settings.contents.create(true);
    for (const block of this.#blocks) {
      const first = block.rows[0]?.time ?? 0;
      const last = block.rows.at(-1)?.time ?? 0;
      if (last <= from || first > until) continue;
      if (block.whole !== undefined && first > from && last <= until) whole.absorb(block.whole);
      else
        this.#addAll(
          whole,
          block.rows.filter(({ time }) => time > from && time <= until),
        );
    }
    this.#context.analytic = analytic;
    if (!whole.isEmpty) this.#settings.give(whole, { start: from, end: until, trigger, time: until });
  }

  #contentOf(rows: readonly Kept[]): Content {
    const { analytic } = this.#context;
    const content = this.#settings.contents.create(true);
    this.#addAll(content, rows);
    this.#context.analytic = analytic;
    return content;
  }

  #addAll(content: Content, rows: readonly Kept[]): void {
    for (const { input, time, analytic } of rows) {
      this.#context.analytic = analytic;
      this.#context.eventTime = time;
      content.add(input, time);
    }
  }

  /** Rows up to this time are in no window that comes. */
  #forget(until: number): void {
    for (let oldest = this.#blocks[0]; oldest !== undefined; oldest = this.#blocks[0]) {
      const newest = oldest.rows.at(-1);
      if (newest === undefined || newest.time > until) return;
      this.#release(oldest);
      this.#blocks.shift();
    }
  }

  #release({ rows }: Block): void {
    this.#runtime.releaseRows(rows.length);
  }
}
