/** State windows: from a row that begins something to the one that ends it. */
import type { EvalContext, Input, Predicate } from '../../sql/index.ts';
import type { Content } from '../content.ts';
import type { SavedState } from '../operator.ts';
import type { Window, WindowSettings } from './window.ts';

export interface StateShape {
  readonly begin: Predicate;
  readonly emit: Predicate;
}

interface SavedSpan {
  readonly start: number;
  readonly content: SavedState;
}

export class StateWindow implements Window {
  readonly #shape: StateShape;
  readonly #context: EvalContext;
  readonly #settings: WindowSettings;
  #content: Content | undefined;
  #start = 0;

  constructor(shape: StateShape, context: EvalContext, settings: WindowSettings) {
    this.#shape = shape;
    this.#context = context;
    this.#settings = settings;
  }

  get isEmpty(): boolean {
    return this.#content === undefined;
  }

  push(input: Input, time: number, isIn: boolean): void {
    if (this.#content === undefined) {
      if (!this.#shape.begin(input, this.#context)) return;
      this.#content = this.#settings.contents.create();
      this.#start = time;
    }
    const content = this.#content;
    if (isIn) content.add(input, time);
    if (!this.#shape.emit(input, this.#context)) return;
    this.#content = undefined;
    if (!content.isEmpty) this.#settings.give(content, { start: this.#start, end: time, time });
    content.release();
  }

  advance(): void {}

  due(): undefined {
    return undefined;
  }

  save(): SavedSpan | undefined {
    return this.#content === undefined ? undefined : { start: this.#start, content: this.#content.save() };
  }

  load(state: SavedState): void {
    const saved = state as SavedSpan | undefined;
    this.#content = saved === undefined ? undefined : this.#settings.contents.load(saved.content);
    this.#start = saved?.start ?? 0;
  }

  release(): void {
    this.#content?.release();
    this.#content = undefined;
  }
}
