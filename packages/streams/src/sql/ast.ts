/** What the text says, before names have a meaning. Every part knows its place in the text. */

/** Offsets in the text: the first character, and the one after the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Name {
  readonly text: string;
  readonly span: Span;
}

export type BinaryOperator =
  | 'or'
  | 'and'
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '|'
  | '^'
  | '&'
  | '+'
  | '-'
  | '*'
  | '/'
  | '%';

export type UnaryOperator = 'not' | '-';

export interface Literal {
  readonly kind: 'literal';
  /** A bigint beyond 2^53, a number otherwise. */
  readonly value: number | bigint | string | boolean | null;
  readonly type: 'bigint' | 'float' | 'string' | 'boolean' | 'null';
  readonly span: Span;
}

/** A first word: a column, an alias, or the source in `source.column`. */
export interface NameExpression {
  readonly kind: 'name';
  readonly name: string;
  readonly span: Span;
}

/** `*` as an argument, as in `count(*)`. */
export interface Star {
  readonly kind: 'star';
  readonly span: Span;
}

export interface Unary {
  readonly kind: 'unary';
  readonly operator: UnaryOperator;
  readonly operand: Expression;
  readonly span: Span;
}

export interface Binary {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
  readonly span: Span;
}

export interface Between {
  readonly kind: 'between';
  readonly operand: Expression;
  readonly low: Expression;
  readonly high: Expression;
  readonly isNegated: boolean;
  readonly span: Span;
}

export interface Like {
  readonly kind: 'like';
  readonly operand: Expression;
  readonly pattern: Expression;
  readonly isNegated: boolean;
  readonly span: Span;
}

/** `x IN (1, 2)` has a list, `x IN values` an array. */
export interface In {
  readonly kind: 'in';
  readonly operand: Expression;
  readonly choices: readonly Expression[] | Expression;
  readonly isNegated: boolean;
  readonly span: Span;
}

export interface IsNull {
  readonly kind: 'isNull';
  readonly operand: Expression;
  readonly isNegated: boolean;
  readonly span: Span;
}

export interface Case {
  readonly kind: 'case';
  readonly subject?: Expression;
  readonly branches: readonly CaseBranch[];
  readonly otherwise?: Expression;
  readonly span: Span;
}

export interface CaseBranch {
  readonly when: Expression;
  readonly result: Expression;
}

export interface Over {
  readonly partition: readonly Expression[];
  readonly when?: Expression;
}

export interface Call {
  readonly kind: 'call';
  /** Lower case, as every function's name. */
  readonly name: string;
  readonly args: readonly Expression[];
  /** `FILTER (WHERE …)` of an aggregate. */
  readonly filter?: Expression;
  /** `OVER (…)` of an analytic function. */
  readonly over?: Over;
  readonly span: Span;
}

/** `a.b` and `a->b`. */
export interface Member {
  readonly kind: 'member';
  readonly object: Expression;
  readonly name: string;
  readonly through: '.' | '->';
  readonly span: Span;
}

export interface Index {
  readonly kind: 'index';
  readonly object: Expression;
  readonly index: Expression;
  readonly span: Span;
}

export interface Slice {
  readonly kind: 'slice';
  readonly object: Expression;
  readonly from?: Expression;
  readonly to?: Expression;
  readonly span: Span;
}

export type Expression =
  | Literal
  | NameExpression
  | Star
  | Unary
  | Binary
  | Between
  | Like
  | In
  | IsNull
  | Case
  | Call
  | Member
  | Index
  | Slice;

export interface FieldItem {
  readonly kind: 'field';
  readonly expression: Expression;
  readonly alias?: Name;
  /** Others may refer to it, the result does not have it. */
  readonly isInvisible: boolean;
}

/** `*` or `source.*`, with EXCEPT and REPLACE. */
export interface AllItem {
  readonly kind: 'all';
  readonly source?: Name;
  readonly except: readonly Name[];
  readonly replace: readonly { readonly expression: Expression; readonly alias: Name }[];
  readonly span: Span;
}

export type SelectItem = FieldItem | AllItem;

export interface SourceReference {
  readonly name: Name;
  readonly alias?: Name;
}

export type JoinType = 'inner' | 'left' | 'right' | 'full' | 'cross';

export interface Join {
  readonly type: JoinType;
  readonly source: SourceReference;
  readonly on?: Expression;
  readonly span: Span;
}

export type WindowType = 'tumbling' | 'hopping' | 'sliding' | 'session' | 'count' | 'state';
export type TimeUnit = 'dd' | 'hh' | 'mi' | 'ss' | 'ms';

export interface Window {
  readonly type: WindowType;
  /** Windows of time only. */
  readonly unit?: TimeUnit;
  /** As written: lengths, intervals, counts. */
  readonly numbers: readonly number[];
  /** Of a state window: when it begins, and when it gives out. */
  readonly conditions: readonly Expression[];
  readonly filter?: Expression;
  readonly over?: Over;
  readonly span: Span;
}

export interface OrderItem {
  readonly expression: Expression;
  readonly isDescending: boolean;
}

export interface CommonTable {
  readonly name: Name;
  readonly query: Statement;
}

/** A SELECT with all that belongs to it. */
export interface Statement {
  /** The whole text that it was parsed from; places are offsets in it. */
  readonly text: string;
  readonly with: readonly CommonTable[];
  readonly items: readonly SelectItem[];
  readonly from: SourceReference;
  readonly joins: readonly Join[];
  readonly where?: Expression;
  readonly groupBy: readonly Expression[];
  readonly window?: Window;
  readonly having?: Expression;
  readonly orderBy: readonly OrderItem[];
  readonly limit?: number;
}
