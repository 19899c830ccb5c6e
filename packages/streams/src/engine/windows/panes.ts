/** Tumbling and hopping windows: time is cut into panes, each row is added once, and a window is the panes that it covers. */
import type { Input } from '../../sql/index.ts';
import type { Content } from '../content.ts';
import type { SavedState } from '../operator.ts';
import type { Window, WindowSettings } from './window.ts';

export interface PaneShape {
  readonly length: number;
  /** From the end of one window to that of the next. */
  readonly interval: number;
  /** How far the clock of the windows is ahead of UTC at a time: days begin at midnight of the rule’s zone. */
  readonly offsetAt: (time: number) => number;
}

interface Pane {
  readonly start: number;
  readonly content: Content;
}

interface SavedPanes {
  readonly panes: readonly { readonly start: number; readonly content: SavedState }[];
  readonly nextEnd: number | undefined;
}

export class PaneWindow implements Window {
  readonly #shape: PaneShape;
  readonly #settings: WindowSettings;
  readonly #paneLength: number;
  /** By time, the oldest first. */
  #panes: Pane[] = [];
  /** The end of the next window that gives something out; undefined while there is nothing. */
  #nextEnd: number | undefined;

  constructor(shape: PaneShape, settings: WindowSettings) {
    this.#shape = shape;
    this.#settings = settings;
    this.#paneLength = greatestDivisor(shape.length, shape.interval);
  }

  get isEmpty(): boolean {
    return this.#panes.length === 0;
  }

  push(input: Input, time: number, isIn: boolean): void {
    if (this.#nextEnd !== undefined && time >= this.#nextEnd) this.advance(time);
    if (!isIn) return;
    const last = this.#panes.at(-1);
    if (last !== undefined && time < last.start + this.#paneLength) {
      last.content.add(input, time);
      return;
    }
    const start = this.#floor(time, this.#paneLength);
    const content = this.#settings.contents.create();
    this.#panes.push({ start, content });
    content.add(input, time);
    this.#nextEnd ??= this.#firstEndAfter(time);
  }

  advance(time: number): void {
    while (this.#nextEnd !== undefined && time >= this.#nextEnd) {
      this.#close(this.#nextEnd);
      this.#forget(this.#nextEnd + this.#shape.interval - this.#shape.length);
      const [oldest] = this.#panes;
      // Windows in which nothing was are passed over.
      this.#nextEnd =
        oldest === undefined
          ? undefined
          : Math.max(this.#nextEnd + this.#shape.interval, this.#firstEndAfter(oldest.start));
    }
  }

  due(): number | undefined {
    return this.#nextEnd;
  }

  save(): SavedPanes {
    const panes = this.#panes.map(({ start, content }) => ({ start, content: content.save() }));
    return { panes, nextEnd: this.#nextEnd };
  }

  load(state: SavedState): void {
    const { panes, nextEnd } = state as SavedPanes;
    this.#panes = panes.map(({ start, content }) => ({ start, content: this.#settings.contents.load(content) }));
    this.#nextEnd = nextEnd;
  }

  release(): void {
    for (const { content } of this.#panes) content.release();
    this.#panes = [];
  }

  #close(end: number): void {
    const start = end - this.#shape.length;
    const within = this.#panes.filter((pane) => pane.start >= start && pane.start < end);
    const [first, ...later] = within;
    if (first === undefined) return;
    const bounds = { start, end, time: end - 1 };
    if (later.length === 0) {
      this.#settings.give(first.content, bounds);
      return;
    }
    const whole = this.#settings.contents.create(true);
    for (const { content } of within) whole.absorb(content);
    this.#settings.give(whole, bounds);
  }

  /** No window that comes reaches back before `start`. */
  #forget(start: number): void {
    for (let oldest = this.#panes[0]; oldest !== undefined && oldest.start < start; oldest = this.#panes[0]) {
      oldest.content.release();
      this.#panes.shift();
    }
  }

  #firstEndAfter(time: number): number {
    return this.#floor(time, this.#shape.interval) + this.#shape.interval;
  }

  #floor(time: number, length: number): number {
    const offset = this.#shape.offsetAt(time);
    return Math.floor((time + offset) / length) * length - offset;
  }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
