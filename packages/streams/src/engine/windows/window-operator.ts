/** The operator of a window clause: which rows it takes, one window or one for each partition, and what becomes of what they give out. */
import { type Input, UTC, type WindowNode, type WindowShape } from '../../sql/index.ts';
import type { Content, ContentKind } from '../content.ts';
import { type Given, NO_BOUNDS } from '../item.ts';
import type { RowOperator, SavedState } from '../operator.ts';
import { type Counters, countersOf, type Runtime } from '../runtime.ts';
import { CountWindow } from './count.ts';
import { PaneWindow } from './panes.ts';
import { SessionWindow } from './session.ts';
import { SlidingWindow } from './sliding.ts';
import { StateWindow } from './state.ts';
import type { Bounds, Window, WindowSettings } from './window.ts';

export interface WindowOperatorOptions {
  readonly node: WindowNode;
  readonly runtime: Runtime;
  readonly contents: ContentKind;
  readonly give: (given: Given) => void;
}

/** The one window where nothing partitions. */
const WHOLE = '';

interface Saved {
  readonly windows: readonly (readonly [string, SavedState])[];
}

export class WindowOperator implements RowOperator {
  readonly counters: Counters;
  readonly #options: WindowOperatorOptions;
  readonly #settings: WindowSettings;
  readonly #windows = new Map<string, Window>();
  /** When there is one window only. */
  #whole: Window | undefined;

  constructor(options: WindowOperatorOptions) {
    this.#options = options;
    this.counters = countersOf(options.node);
    this.#settings = { contents: options.contents, give: (content, bounds) => this.#give(content, bounds) };
    if (options.node.partition === undefined) {
      this.#whole = this.#createWindow();
      this.#windows.set(WHOLE, this.#whole);
    }
  }

  push(input: Input, time: number): void {
    const { node, runtime } = this.#options;
    const { context } = runtime;
    this.counters.rowsIn++;
    context.eventTime = time;
    try {
      if (node.admit !== undefined && !node.admit(input, context)) return;
      const window = this.#whole ?? this.#windowOf(node.partition?.(input, context) ?? WHOLE);
      window?.push(input, time, node.where === undefined || node.where(input, context));
    } catch (error) {
      runtime.fail(this.counters, error);
    }
  }

  advance(time: number): void {
    for (const [key, window] of this.#windows) {
      window.advance(time);
      if (window !== this.#whole && window.isEmpty) {
        this.#windows.delete(key);
        this.#options.runtime.releaseKeys(1);
      }
    }
  }

  due(): number | undefined {
    let earliest: number | undefined;
    for (const window of this.#windows.values()) {
      const due = window.due();
      if (due !== undefined && (earliest === undefined || due < earliest)) earliest = due;
    }
    return earliest;
  }

  save(): Saved {
    return { windows: [...this.#windows].map(([key, window]) => [key, window.save()]) };
  }

  load(state: SavedState): void {
    for (const [key, saved] of (state as Saved).windows) this.#windowOf(key)?.load(saved);
  }

  #windowOf(key: string): Window | undefined {
    const known = this.#windows.get(key);
    if (known !== undefined || !this.#options.runtime.takeKey()) return known;
    const made = this.#createWindow();
    this.#windows.set(key, made);
    return made;
  }

  #createWindow(): Window {
    const { node, runtime } = this.#options;
    return createWindow(node, runtime, this.#settings);
  }

  #give(content: Content, { start, end, trigger = end, time }: Bounds): void {
    const items = content.items();
    this.counters.rowsOut += items.length;
    const bounds = isOfTime(this.#options.node.shape) ? { start, end, trigger } : NO_BOUNDS;
    this.#options.give({ items, time, ...bounds });
  }
}

function isOfTime({ type }: WindowShape): boolean {
  return type !== 'count' && type !== 'state';
}

function createWindow({ shape, isAligned, trigger }: WindowNode, runtime: Runtime, settings: WindowSettings): Window {
  const { context } = runtime;
  switch (shape.type) {
    case 'tumbling':
    case 'hopping': {
      const interval = shape.type === 'hopping' ? shape.interval : shape.length;
      const zone = isAligned ? context.zone : UTC;
      return new PaneWindow({ length: shape.length, interval, zone }, settings);
    }
    case 'sliding':
      return new SlidingWindow(shape, trigger, runtime, settings);
    case 'session':
      return new SessionWindow(shape, settings);
    case 'count':
      return new CountWindow(shape, settings);
    case 'state':
      return new StateWindow(shape, context, settings);
  }
}
