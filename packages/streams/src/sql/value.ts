/** What expressions work on. A row is a plain object with the field names of its stream; NULL is undefined (or null, as JSON has it). */
import type { Zone } from './time/zone.ts';

export type Value =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | readonly Value[]
  | { readonly [name: string]: Value };

export interface Row {
  readonly [name: string]: Value;
}

/** The rows of all sources of a plan by their index; a place is empty while its source has no part in it. */
export type Tuple = readonly (Row | undefined)[];

/** What a plan's expressions read: a Row while the plan has one source, a Tuple as soon as it has more. */
export type Input = Row | Tuple;

/** How often, and when last, the condition that asks for it was true: `last_hit_count()` and its siblings. */
export interface Hits {
  count: number;
  /** Event time in milliseconds; 0 before the first. */
  time: number;
}

/** Everything an expression may ask beside its row. One for a rule; whoever evaluates sets what concerns the row or the group. */
export interface EvalContext {
  readonly ruleId: string;
  /** When the rule began to run: milliseconds since 1970. */
  readonly ruleStart: number;
  /** What `now`, `hour`, `format_time` and their like speak. */
  readonly zone: Zone;
  /** The zone's name. */
  readonly timeZone: string;
  /** Milliseconds since 1970, of the injected clock. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** What travelled beside the row of a source, such as its MQTT topic. */
  readonly meta: (source: number) => Row | undefined;
  /** The answer of `get_keyed_state`. */
  readonly keyedState: (key: string) => Value;
  readonly hits: Hits;
  /** Of the row, or of what triggered the window: milliseconds since 1970. */
  eventTime: number;
  /** 0 outside windows of time. */
  windowStart: number;
  windowEnd: number;
  /** When what the window holds was asked for: before its end where it waits for more. */
  windowTrigger: number;
  /** From 1 within what is given out at once. */
  rowNumber: number;
  /** Results of the plan's analytic calls, by slot. */
  analytic: Value[];
  /** Results of the group's aggregates, by slot. */
  aggregates: Value[];
}

export type Evaluate = (input: Input, context: EvalContext) => Value;

/** NULL counts as false. Throws a RowError when the value is no boolean. */
export type Predicate = (input: Input, context: EvalContext) => boolean;

/** What an accumulated state is kept as: plain JSON. */
export type Saved = null | boolean | number | string | readonly Saved[] | { readonly [name: string]: Saved };
