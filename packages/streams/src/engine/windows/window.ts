/** What each kind of window does: takes rows in the order of their times, and gives out what belongs together. */
import type { Input } from '../../sql/index.ts';
import type { Content, ContentKind } from '../content.ts';
import type { SavedState } from '../operator.ts';

export interface Window {
  /** `isIn`: whether the row is in the content; one that is not counts and triggers all the same. */
  push(input: Input, time: number, isIn: boolean): void;
  advance(time: number): void;
  due(): number | undefined;
  /** Nothing is in it, so that it can be forgotten. */
  readonly isEmpty: boolean;
  save(): SavedState;
  load(state: SavedState): void;
  release(): void;
}

export interface WindowSettings {
  readonly contents: ContentKind;
  /** Called with what a window held. The content may be used until it returns. */
  readonly give: (content: Content, bounds: Bounds) => void;
}

export interface Bounds {
  readonly start: number;
  readonly end: number;
  /** When it was asked for, where that is not its end. */
  readonly trigger?: number;
  /** The latest time that what comes out of it may have been. */
  readonly time: number;
}
