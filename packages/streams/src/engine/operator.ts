/** The two shapes of operators: on rows as they come, and on what is given out at once. */
import type { Input } from '../sql/index.ts';
import type { Given, Item } from './item.ts';
import type { Counters } from './runtime.ts';

/** State as it is kept: whatever `v8.serialize` takes. */
export type SavedState = unknown;

/** Rows come in the order of their times; a row of time t says that nothing earlier comes any more. */
export interface RowOperator {
  readonly counters: Counters;
  push(input: Input, time: number): void;
  /** Nothing earlier than this comes any more. */
  advance(time: number): void;
  /** When something is given out though no row comes; undefined: never. */
  due(): number | undefined;
  save?(): SavedState;
  load?(state: SavedState): void;
}

export interface GivenOperator {
  readonly counters: Counters;
  apply(given: Given): readonly Item[];
  save?(): SavedState;
  load?(state: SavedState): void;
}
