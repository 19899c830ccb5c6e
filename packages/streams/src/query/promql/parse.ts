/** PromQL's text as an expression. The grammar is Prometheus' own for editors; what it leaves to the server is checked here. */
import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import {
  type Aggregation,
  type Binary,
  type Call,
  type Expr,
  type Grouping,
  type LabelMatcher,
  type Matching,
  type MatchOp,
  PromQlError,
  type Shift,
  type VectorSelector,
} from './ast.ts';
import { parseDuration, parseNumber } from './duration.ts';
import { testOf } from './matcher.ts';
import { unquote } from './unquote.ts';

const MAX_QUERY_CHARACTERS = 20_000;
const MAX_DEPTH = 200;

/** Throws `PromQlError`. */
export function parsePromQl(text: string): Expr {
  if (text.length > MAX_QUERY_CHARACTERS)
    throw new PromQlError(`a query has at most ${MAX_QUERY_CHARACTERS} characters`);
  const root = parser.parse(text).topNode;
  refuseErrors(root, text);
  const [only, ...more] = childrenOf(root);
  if (only === undefined) throw new PromQlError('the query is empty', 0);
  if (more[0] !== undefined) throw new PromQlError('unexpected text after the expression', more[0].from);
  return new Reader(text).read(only, 0);
}

function refuseErrors(root: SyntaxNode, text: string): void {
  const cursor = root.cursor();
  do {
    if (!cursor.type.isError) continue;
    const found = text.slice(cursor.from, cursor.from + 20).trim();
    throw new PromQlError(found === '' ? 'unexpected end of the query' : `unexpected "${found}"`, cursor.from);
  } while (cursor.next());
}

class Reader {
  readonly #text: string;
  /** What stood in parentheses: nothing behind them belongs to a part of it. */
  readonly #closed = new WeakSet<Expr>();

  constructor(text: string) {
    this.#text = text;
  }

  read(node: SyntaxNode, depth: number): Expr {
    if (depth > MAX_DEPTH) throw new PromQlError('the query is nested too deeply', node.from);
    const inner = (one: SyntaxNode) => this.read(one, depth + 1);
    const first = childrenOf(node)[0] ?? node;
    switch (node.name) {
      case 'ParenExpr':
        return this.#close(inner(first));
      case 'NumberDurationLiteral':
        return { kind: 'number', value: this.#number(node) };
      case 'StringLiteral':
        return { kind: 'string', value: this.#string(node) };
      case 'UnaryExpr':
        return this.#unary(node, inner);
      case 'VectorSelector':
        return this.#vector(node);
      case 'MatrixSelector':
        return this.#matrix(node);
      case 'SubqueryExpr':
        return this.#subquery(node, inner);
      case 'OffsetExpr':
        return this.#shifted(node, inner, { offset: this.#offset(node) });
      case 'StepInvariantExpr':
        return this.#shifted(node, inner, { at: this.#at(node) });
      case 'FunctionCall':
        return this.#call(node, inner);
      case 'AggregateExpr':
        return this.#aggregation(node, inner);
      case 'BinaryExpr':
        return this.#binary(node, inner);
      default:
        throw new PromQlError(`"${this.#of(node)}" is no expression that is known here`, node.from);
    }
  }

  #close(expression: Expr): Expr {
    const copy = { ...expression };
    this.#closed.add(copy);
    return copy;
  }

  /** The grammar takes an offset behind an operator's expression for one of the whole; it is its last operand's. */
  #onLast(expression: Expr, change: (last: Expr) => Expr): Expr {
    if (this.#closed.has(expression)) return change(expression);
    if (expression.kind === 'negation') return { ...expression, inner: this.#onLast(expression.inner, change) };
    if (expression.kind === 'binary') return { ...expression, right: this.#onLast(expression.right, change) };
    return change(expression);
  }

  #of({ from, to }: SyntaxNode): string {
    return this.#text.slice(from, to);
  }

  #number(node: SyntaxNode): number {
    const value = parseNumber(this.#of(node));
    if (value === undefined) throw new PromQlError(`"${this.#of(node)}" is no number`, node.from);
    return value;
  }

  #duration(node: SyntaxNode): number {
    const value = parseDuration(this.#of(node).trim());
    if (value === undefined) throw new PromQlError(`"${this.#of(node)}" is no duration`, node.from);
    return value;
  }

  #string(node: SyntaxNode): string {
    const value = unquote(this.#of(node));
    if (value === undefined) throw new PromQlError('the text has an unknown escape', node.from);
    return value;
  }

  #unary(node: SyntaxNode, inner: (node: SyntaxNode) => Expr): Expr {
    const [sign, operand] = childrenOf(node);
    if (operand === undefined) throw new PromQlError('an operand is missing', node.from);
    const read = inner(operand);
    return sign !== undefined && this.#of(sign) === '-' ? { kind: 'negation', inner: read } : read;
  }

  #vector(node: SyntaxNode): VectorSelector {
    const name = node.getChild('Identifier');
    const named: LabelMatcher[] = name === null ? [] : [{ label: '__name__', op: '=', value: this.#of(name) }];
    const listed = node.getChild('LabelMatchers');
    const matchers = [...named, ...(listed === null ? [] : childrenOf(listed).map((one) => this.#matcher(one)))];
    if (matchers.every((matcher) => testOf(matcher)('')))
      throw new PromQlError('a selector needs at least one matcher that does not match the empty text', node.from);
    return { kind: 'vector', matchers, offset: 0 };
  }

  #matcher(node: SyntaxNode): LabelMatcher {
    const children = childrenOf(node);
    if (node.name === 'QuotedLabelName')
      return { label: '__name__', op: '=', value: this.#string(children[0] ?? node) };
    const [label, op, value] = children;
    if (label === undefined || op === undefined || value === undefined)
      throw new PromQlError('a matcher is LABEL, operator and text', node.from);
    const name = label.name === 'QuotedLabelName' ? this.#string(childrenOf(label)[0] ?? label) : this.#of(label);
    const matcher: LabelMatcher = { label: name, op: this.#of(op) as MatchOp, value: this.#string(value) };
    if (matcher.op === '=~' || matcher.op === '!~') refuseBadPattern(matcher, value.from);
    return matcher;
  }

  #matrix(node: SyntaxNode): Expr {
    const [selector, range] = childrenOf(node);
    if (selector === undefined || range === undefined) throw new PromQlError('a range needs a selector', node.from);
    const vector = this.read(selector, 0);
    if (vector.kind !== 'vector') throw new PromQlError('a range needs a selector before it', node.from);
    return { kind: 'matrix', vector, range: positive(this.#duration(range), range) };
  }

  #subquery(node: SyntaxNode, inner: (node: SyntaxNode) => Expr): Expr {
    const [expression, range, step] = childrenOf(node);
    if (expression === undefined || range === undefined) throw new PromQlError('a subquery needs a range', node.from);
    const found = {
      kind: 'subquery',
      range: positive(this.#duration(range), range),
      offset: 0,
      ...(step === undefined ? {} : { step: positive(this.#duration(step), step) }),
    } as const;
    return this.#onLast(inner(expression), (last) => ({ ...found, inner: last }));
  }

  #offset(node: SyntaxNode): number {
    const isNegative = childrenOf(node).some((child) => child.name === 'Sub');
    const duration = node.getChild('OffsetDurationExpr');
    if (duration === null) throw new PromQlError('an offset needs a duration', node.from);
    const text = this.#of(duration).trim();
    const value = parseDuration(text.replace(/^[+-]\s*/, ''));
    if (value === undefined) throw new PromQlError(`"${text}" is no duration`, duration.from);
    return isNegative || text.startsWith('-') ? -value : value;
  }

  #at(node: SyntaxNode): number | 'start' | 'end' {
    const last = childrenOf(node).at(-1);
    if (last === undefined) throw new PromQlError('@ needs a time', node.from);
    if (last.name === 'AtModifierPreprocessors') return this.#of(last).startsWith('start') ? 'start' : 'end';
    const isNegative = childrenOf(node).some((child) => child.name === 'Sub');
    const seconds = this.#number(last);
    return Math.round((isNegative ? -seconds : seconds) * 1000);
  }

  #shifted(node: SyntaxNode, inner: (node: SyntaxNode) => Expr, shift: Partial<Shift>): Expr {
    const [expression] = childrenOf(node);
    if (expression === undefined) throw new PromQlError('a selector is missing', node.from);
    return this.#onLast(inner(expression), (last) => {
      if (last.kind === 'vector' || last.kind === 'subquery') return { ...last, ...shift };
      if (last.kind === 'matrix') return { ...last, vector: { ...last.vector, ...shift } };
      throw new PromQlError('offset and @ belong to a selector or a subquery', node.from);
    });
  }

  #call(node: SyntaxNode, inner: (node: SyntaxNode) => Expr): Call {
    const name = node.getChild('FunctionIdentifier');
    const body = node.getChild('FunctionCallBody');
    return {
      kind: 'call',
      name: name === null ? '' : this.#of(name),
      args: body === null ? [] : childrenOf(body).map(inner),
    };
  }

  #aggregation(node: SyntaxNode, inner: (node: SyntaxNode) => Expr): Aggregation {
    const op = node.getChild('AggregateOp');
    const body = node.getChild('FunctionCallBody');
    const modifier = node.getChild('AggregateModifier');
    const args = body === null ? [] : childrenOf(body).map(inner);
    const last = args.at(-1);
    if (op === null || last === undefined || args.length > 2)
      throw new PromQlError('an aggregation needs an expression', node.from);
    const [parameter] = args;
    return {
      kind: 'aggregation',
      op: this.#of(op),
      inner: last,
      grouping: this.#grouping(modifier),
      ...(args.length < 2 || parameter === undefined ? {} : { parameter }),
    };
  }

  #grouping(modifier: SyntaxNode | null): Grouping {
    if (modifier === null) return { mode: 'by', labels: [] };
    const mode = modifier.getChild('Without') === null ? 'by' : 'without';
    return { mode, labels: this.#labels(modifier.getChild('GroupingLabels')) };
  }

  #labels(node: SyntaxNode | null): readonly string[] {
    const found = node === null ? [] : childrenOf(node);
    return found.map((one) => (one.name === 'LabelName' ? this.#of(one) : this.#string(childrenOf(one)[0] ?? one)));
  }

  #binary(node: SyntaxNode, inner: (node: SyntaxNode) => Expr): Binary {
    const children = childrenOf(node);
    const left = children[0];
    const right = children.at(-1);
    const op = children[1];
    if (left === undefined || right === undefined || op === undefined)
      throw new PromQlError('an operand is missing', node.from);
    const clause = node.getChild('MatchingModifierClause');
    return {
      kind: 'binary',
      op: this.#of(op),
      left: inner(left),
      right: inner(right),
      isBool: node.getChild('BoolModifier') !== null,
      ...(clause === null ? {} : { matching: this.#matching(clause) }),
    };
  }

  #matching(clause: SyntaxNode): Matching {
    const [labels, include] = clause.getChildren('GroupingLabels');
    const left = clause.getChild('GroupLeft') !== null;
    const right = clause.getChild('GroupRight') !== null;
    return {
      mode: clause.getChild('On') === null ? 'ignoring' : 'on',
      labels: this.#labels(labels ?? null),
      include: this.#labels(include ?? null),
      ...(left ? { group: 'left' } : right ? { group: 'right' } : {}),
    };
  }
}

function positive(duration: number, { from }: SyntaxNode): number {
  if (duration > 0) return duration;
  throw new PromQlError('a duration must be more than nothing', from);
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling)
    if (child.name !== 'LineComment') children.push(child);
  return children;
}

function refuseBadPattern(matcher: LabelMatcher, position: number): void {
  try {
    testOf(matcher);
  } catch {
    throw new PromQlError(`"${matcher.value}" is no regular expression`, position);
  }
}
