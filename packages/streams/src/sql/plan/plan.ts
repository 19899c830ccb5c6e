/**
 * The logical plan of a statement: a chain of operators from its sources to its result, with every expression compiled.
 * The id of an operator says what it does and what comes before it, so that an operator whose state may be kept has the same id
 * in the plan of a changed statement.
 */
import type { JoinType } from '../ast.ts';
import type { Relation } from '../catalog.ts';
import type { Schema } from '../data-type.ts';
import type { EvalContext, Evaluate, Input, Predicate, Row, Saved, Value } from '../value.ts';

export interface Plan {
  readonly root: PlanNode;
  /** By their index in a Tuple; with one source, rows are Rows. */
  readonly sources: readonly SourceNode[];
  /** Of what comes out; absent when only the rows can tell. */
  readonly schema?: Schema;
  /** Where `last_hit_count()` and its siblings count: after this condition was true the engine moves `context.hits` on. */
  readonly hits?: 'where' | 'having' | 'select' | 'trigger';
  readonly usesMeta: boolean;
}

export type PlanNode =
  | SourceNode
  | LookupNode
  | AnalyticNode
  | FilterNode
  | WindowNode
  | JoinNode
  | AggregateNode
  | HavingNode
  | OrderNode
  | ProjectNode
  | UnnestNode
  | LimitNode;

interface NodeBase {
  readonly id: string;
  /** In the words of the statement, for explain. */
  readonly says: string;
}

/** A stream, a table read as a stream, or what a common table expression gives. */
export interface SourceNode extends NodeBase {
  readonly kind: 'source';
  readonly index: number;
  /** What qualifies its columns: the alias if there is one. */
  readonly name: string;
  readonly relation: Relation;
  /** Of a common table expression. */
  readonly query?: Plan;
  /** What the statement reads of it, for decoders; absent: everything. */
  readonly columns?: readonly string[];
}

/** A join of a stream with a table: asked row by row, no window needed. */
export interface LookupNode extends NodeBase {
  readonly kind: 'lookup';
  readonly input: PlanNode;
  readonly type: 'inner' | 'left';
  readonly table: SourceNode;
  /** All must be equal. */
  readonly keys: readonly { readonly field: string; readonly value: Evaluate }[];
  /** What else ON demands of a candidate; the tuple has the table's row in its place. */
  readonly rest?: Predicate;
}

/** Analytic calls on each row, before any condition, or on each group after aggregation. Results go to `context.analytic`. */
export interface AnalyticNode extends NodeBase {
  readonly kind: 'analytic';
  readonly input: PlanNode;
  readonly level: 'row' | 'group';
  readonly calls: readonly AnalyticCall[];
}

export interface AnalyticCall {
  /** Of this call and what is before it; not of the other calls beside it. */
  readonly id: string;
  readonly slot: number;
  readonly says: string;
  /** The state to use is that of this key; absent: one state. */
  readonly partition?: (input: Input, context: EvalContext) => string;
  readonly create: () => AnalyticState;
  /** Changes the state and returns the value of the row; WHEN is in it. */
  readonly step: (state: AnalyticState, input: Input, context: EvalContext) => Value;
  readonly save: (state: AnalyticState) => Saved;
  readonly load: (saved: Saved) => AnalyticState;
}

/** Opaque to everyone but its call. */
export type AnalyticState = object;

export interface FilterNode extends NodeBase {
  readonly kind: 'filter';
  readonly input: PlanNode;
  readonly predicate: Predicate;
}

export type WindowShape =
  | { readonly type: 'tumbling'; readonly length: number }
  | { readonly type: 'hopping'; readonly length: number; readonly interval: number }
  | { readonly type: 'sliding'; readonly length: number; readonly delay: number }
  | { readonly type: 'session'; readonly timeout: number; readonly maximum: number }
  | { readonly type: 'count'; readonly length: number; readonly interval: number }
  | { readonly type: 'state'; readonly begin: Predicate; readonly emit: Predicate };

/** Lengths are milliseconds, or rows of a count window. */
export interface WindowNode extends NodeBase {
  readonly kind: 'window';
  /** More than one where streams are joined in the window. */
  readonly inputs: readonly PlanNode[];
  readonly shape: WindowShape;
  /** FILTER (WHERE …): what does not pass does not exist for the window. */
  readonly admit?: Predicate;
  /** OVER (WHEN …): which rows give a sliding or count window out. */
  readonly trigger?: Predicate;
  /** OVER (PARTITION BY …): a window of its own for each key. */
  readonly partition?: (input: Input, context: EvalContext) => string;
  /** Days and hours begin with those of the rule's time zone. */
  readonly isAligned: boolean;
  /** WHERE, when rows that it refuses still move the window: they count and trigger but are not in the result. */
  readonly where?: Predicate;
  /** Rows themselves are needed: no aggregation, or a join. Else the engine may keep aggregates only. */
  readonly keepsRows: boolean;
}

/** Joins what a window gives: one more source each. */
export interface JoinNode extends NodeBase {
  readonly kind: 'join';
  readonly input: PlanNode;
  readonly type: JoinType;
  /** Index of the source that is joined to those before it. */
  readonly right: number;
  /** Equalities of ON, for hashing: `left` reads the tuple so far, `right` a tuple with only the new source. */
  readonly keys: readonly { readonly left: Evaluate; readonly right: Evaluate }[];
  /** All of ON that is not in `keys`. */
  readonly rest?: Predicate;
}

export interface AggregateNode extends NodeBase {
  readonly kind: 'aggregate';
  readonly input: PlanNode;
  /** One string for each group; absent: one group. */
  readonly key?: (input: Input, context: EvalContext) => string;
  readonly calls: readonly AggregateCall[];
  /** Something reads columns outside of aggregates: they are those of the group's first row, which then has to be kept. */
  readonly needsRow: boolean;
}

export interface AggregateCall {
  readonly id: string;
  readonly slot: number;
  readonly says: string;
  readonly create: () => AggregateState;
  /** FILTER (WHERE …) is in it. */
  readonly add: (state: AggregateState, input: Input, context: EvalContext) => void;
  /** Adds `later`, which it leaves as it is, to `state`: the rows of `later` came after those of `state`. */
  readonly merge: (state: AggregateState, later: AggregateState) => void;
  readonly result: (state: AggregateState) => Value;
  readonly save: (state: AggregateState) => Saved;
  readonly load: (saved: Saved) => AggregateState;
}

/** Opaque to everyone but its call. */
export type AggregateState = object;

export interface HavingNode extends NodeBase {
  readonly kind: 'having';
  readonly input: PlanNode;
  readonly predicate: Predicate;
}

/** Of what is given out at once. NULL is smaller than anything. */
export interface OrderNode extends NodeBase {
  readonly kind: 'order';
  readonly input: PlanNode;
  readonly keys: readonly { readonly value: Evaluate; readonly isDescending: boolean }[];
}

export interface ProjectNode extends NodeBase {
  readonly kind: 'project';
  readonly input: PlanNode;
  readonly project: (input: Input, context: EvalContext) => Row;
}

/** After projection: the array in a field becomes a row for each element. */
export interface UnnestNode extends NodeBase {
  readonly kind: 'unnest';
  readonly input: PlanNode;
  readonly expand: (row: Row) => readonly Row[];
}

/** Of what is given out at once. */
export interface LimitNode extends NodeBase {
  readonly kind: 'limit';
  readonly input: PlanNode;
  readonly count: number;
}
