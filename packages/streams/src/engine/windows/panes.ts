/** Tumbling and hopping windows: time is cut into panes, each row is added once, and a window is the panes that it covers. */
import { type Input, instantOf, UTC, type Zone, zoneOf } from '../../sql/index.ts';
import type { Content } from '../content.ts';
import type { SavedState } from '../operator.ts';
import type { Bounds, Window, WindowSettings } from './window.ts';

export interface PaneShape {
  readonly length: number;
  /** From the end of one window to that of the next. */
  readonly interval: number;
  /** Whose clock on the wall windows go by: days begin at midnight, however long the day before was. */
  readonly zone: Zone;
}

/** Starts and ends are what the clock on the wall shows. */
interface Pane {
  readonly start: number;
  readonly content: Content;
}

/** Starts and ends as the clock of that zone shows them; of UTC without it. */
interface SavedPanes {
  readonly zone?: string;
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
  /** The instant at which that is. */
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(shape: PaneShape, settings: WindowSettings) {
    this.#shape = shape;
    this.#settings = settings;
    this.#paneLength = greatestDivisor(shape.length, shape.interval);
  }

  get isEmpty(): boolean {
    return this.#panes.length === 0;
  }

  push(input: Input, time: number, isIn: boolean): void {
    this.advance(time);
    if (!isIn) return;
    const wall = this.#wallOf(time);
    const last = this.#panes.at(-1);
    // When clocks are set back, an hour comes twice: what comes then belongs to it once more.
    if (last !== undefined && wall < last.start + this.#paneLength) {
      last.content.add(input, time);
      return;
    }
    const start = floor(wall, this.#paneLength);
    const content = this.#settings.contents.create();
    this.#panes.push({ start, content });
    content.add(input, time);
    if (this.#nextEnd === undefined) this.#expect(this.#firstEndAfter(wall));
  }

  advance(time: number): void {
    while (this.#nextEnd !== undefined && time >= this.#dueAt) {
      this.#close(this.#nextEnd);
      this.#forget(this.#nextEnd + this.#shape.interval - this.#shape.length);
      const [oldest] = this.#panes;
      // Windows in which nothing was are passed over.
      this.#expect(
        oldest === undefined
          ? undefined
          : Math.max(this.#nextEnd + this.#shape.interval, this.#firstEndAfter(oldest.start)),
      );
    }
  }

  due(): number | undefined {
    return this.#nextEnd === undefined ? undefined : this.#dueAt;
  }

  save(): SavedPanes {
    const panes = this.#panes.map(({ start, content }) => ({ start, content: content.save() }));
    return { zone: this.#shape.zone.name, panes, nextEnd: this.#nextEnd };
  }

  load(state: SavedState): void {
    const { zone = UTC.name, panes, nextEnd } = state as SavedPanes;
    const { contents } = this.#settings;
    const isSame = zone === this.#shape.zone.name;
    const from = isSame ? this.#shape.zone : zoneOf(zone);
    const here = (wall: number) => (isSame ? wall : this.#wallOf(instantOf(wall, from)));
    this.#panes = panes.map(({ start, content }) => ({ start: here(start), content: contents.load(content) }));
    // In another zone, the first end after the one that was last.
    const isKept = nextEnd === undefined || isSame;
    this.#expect(isKept ? nextEnd : this.#firstEndAfter(here(nextEnd - this.#shape.interval)));
  }

  release(): void {
    for (const { content } of this.#panes) content.release();
    this.#panes = [];
  }

  #expect(end: number | undefined): void {
    this.#nextEnd = end;
    this.#dueAt = end === undefined ? Number.POSITIVE_INFINITY : instantOf(end, this.#shape.zone);
  }

  #close(end: number): void {
    const start = end - this.#shape.length;
    const within = this.#panes.filter((pane) => pane.start >= start && pane.start < end);
    const [first, ...later] = within;
    if (first === undefined) return;
    const bounds = this.#boundsOf(start, end);
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

  #boundsOf(start: number, end: number): Bounds {
    const { zone } = this.#shape;
    const until = instantOf(end, zone);
    return { start: instantOf(start, zone), end: until, time: until - 1 };
  }

  #firstEndAfter(wall: number): number {
    return floor(wall, this.#shape.interval) + this.#shape.interval;
  }

  #wallOf(time: number): number {
    return time + this.#shape.zone.offset(time);
  }
}

function floor(wall: number, length: number): number {
  return Math.floor(wall / length) * length;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
