/** Count windows: so many rows, given out each time so many have come. The last ones are kept in blocks of what comes between. */
import type { Input } from '../../sql/index.ts';
import type { Content } from '../content.ts';
import type { SavedState } from '../operator.ts';
import type { Window, WindowSettings } from './window.ts';

export interface CountShape {
  readonly length: number;
  readonly interval: number;
}

interface Block {
  readonly content: Content;
  rows: number;
  readonly start: number;
}

interface SavedBlocks {
  readonly blocks: readonly { readonly rows: number; readonly start: number; readonly content: SavedState }[];
  readonly seen: number;
}

export class CountWindow implements Window {
  readonly #shape: CountShape;
  readonly #settings: WindowSettings;
  /** Where blocks end, counted in rows from the beginning of an interval: such that windows begin and end with blocks. */
  readonly #cuts: ReadonlySet<number>;
  #blocks: Block[] = [];
  /** Rows that came; beyond the length, modulo the interval. */
  #seen = 0;

  constructor(shape: CountShape, settings: WindowSettings) {
    this.#shape = shape;
    this.#settings = settings;
    // A window ends after a multiple of the interval, and begins `length` rows before.
    const { length, interval } = shape;
    this.#cuts = new Set([0, (interval - (length % interval)) % interval]);
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0;
  }

  push(input: Input, time: number, isIn: boolean): void {
    const { length, interval } = this.#shape;
    const last = this.#cuts.has(this.#seen % interval) ? undefined : this.#blocks.at(-1);
    const block = last ?? { content: this.#settings.contents.create(), rows: 0, start: time };
    if (last === undefined) this.#blocks.push(block);
    block.rows++;
    if (isIn) block.content.add(input, time);
    this.#seen++;
    if (this.#seen % interval !== 0) return;
    if (this.#seen >= length) this.#give(time);
    this.#forget(length - interval);
    // Kept small, so that it can go on for ever; whether there were enough rows stays known.
    if (this.#seen >= 2 * length * interval) this.#seen -= length * interval;
  }

  advance(): void {}

  due(): undefined {
    return undefined;
  }

  save(): SavedBlocks {
    const blocks = this.#blocks.map(({ rows, start, content }) => ({ rows, start, content: content.save() }));
    return { blocks, seen: this.#seen };
  }

  load(state: SavedState): void {
    const { blocks, seen } = state as SavedBlocks;
    this.#blocks = blocks.map(({ content, ...rest }) => ({ ...rest, content: this.#settings.contents.load(content) }));
    this.#seen = seen;
  }

  release(): void {
    for (const { content } of this.#blocks) content.release();
    this.#blocks = [];
  }

  #give(time: number): void {
    let rows = this.#shape.length;
    let first = this.#blocks.length;
    while (rows > 0 && first > 0) rows -= this.#blocks[--first]?.rows ?? 0;
    const within = this.#blocks.slice(first);
    const [oldest] = within;
    if (oldest === undefined) return;
    const whole = within.length === 1 ? oldest.content : this.#settings.contents.create(true);
    if (within.length > 1) for (const { content } of within) whole.absorb(content);
    if (!whole.isEmpty) this.#settings.give(whole, { start: oldest.start, end: time, time });
  }

  /** Of what came, only so many rows are needed again. */
  #forget(needed: number): void {
    let kept = this.#blocks.reduce((sum, { rows }) => sum + rows, 0);
    for (let oldest = this.#blocks[0]; oldest !== undefined && kept - oldest.rows >= needed; oldest = this.#blocks[0]) {
      kept -= oldest.rows;
      oldest.content.release();
      this.#blocks.shift();
    }
  }
}
