/** Expressions of PromQL, as https://prometheus.io/docs/prometheus/latest/querying/basics/ has them. */

export type MatchOp = '=' | '!=' | '=~' | '!~';

export interface LabelMatcher {
  readonly label: string;
  readonly op: MatchOp;
  readonly value: string;
}

/** Where in time a selector or subquery looks. */
export interface Shift {
  /** Milliseconds back. */
  readonly offset: number;
  /** A time instead of that of the step: milliseconds since 1970, or an end of the query's range. */
  readonly at?: number | 'start' | 'end';
}

export interface VectorSelector extends Shift {
  readonly kind: 'vector';
  readonly matchers: readonly LabelMatcher[];
}

export interface MatrixSelector {
  readonly kind: 'matrix';
  readonly vector: VectorSelector;
  /** Milliseconds. */
  readonly range: number;
}

export interface Subquery extends Shift {
  readonly kind: 'subquery';
  readonly inner: Expr;
  readonly range: number;
  /** Absent: that of the query. */
  readonly step?: number;
}

export interface Call {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expr[];
}

export interface Aggregation {
  readonly kind: 'aggregation';
  readonly op: string;
  readonly parameter?: Expr;
  readonly inner: Expr;
  readonly grouping: Grouping;
}

export interface Grouping {
  readonly mode: 'by' | 'without';
  readonly labels: readonly string[];
}

export interface Binary {
  readonly kind: 'binary';
  readonly op: string;
  readonly left: Expr;
  readonly right: Expr;
  readonly isBool: boolean;
  readonly matching?: Matching;
}

export interface Matching {
  readonly mode: 'on' | 'ignoring';
  readonly labels: readonly string[];
  readonly group?: 'left' | 'right';
  readonly include: readonly string[];
}

export type Expr =
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregation
  | Binary
  | { readonly kind: 'negation'; readonly inner: Expr }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string };

/** A query that cannot be answered, in words; with the place where it is one of writing. */
export class PromQlError extends Error {
  readonly position: number | undefined;

  constructor(message: string, position?: number) {
    super(position === undefined ? message : `${message} (at character ${position + 1})`);
    this.position = position;
  }
}
