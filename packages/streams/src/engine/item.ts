/** What travels through the operators of a flow. */
import type { Input, Value } from '../sql/index.ts';

/** A row, a joined row or a group, with what belongs to it. */
export interface Item {
  readonly input: Input;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Results of analytic calls, by slot. */
  readonly analytic?: Value[];
  /** Results of a group’s aggregates, by slot. */
  readonly aggregates?: Value[];
}

/** What is given out at once: the rows of a window, or one row where there is none. */
export interface Given {
  readonly items: readonly Item[];
  /** Of what came out of it: within the window, so that the same window above it has it. */
  readonly time: number;
  /** 0 outside windows of time. */
  readonly start: number;
  readonly end: number;
  readonly trigger: number;
}

/** Of what is no window, or none of time. */
export const NO_BOUNDS: Pick<Given, 'start' | 'end' | 'trigger'> = { start: 0, end: 0, trigger: 0 };
