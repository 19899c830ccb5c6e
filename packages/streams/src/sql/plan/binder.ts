/** Gives names their meaning and expressions their types. */
import type {
  Between,
  Binary,
  Case,
  Expression,
  In,
  Index,
  IsNull,
  Like,
  Literal,
  Member,
  NameExpression,
  Slice,
  Span,
  Unary,
} from '../ast.ts';
import type { Bound } from '../compile/bound.ts';
import {
  ANY,
  BIGINT,
  BOOLEAN,
  type DataType,
  FLOAT,
  isNumeric,
  isOpen,
  NULL,
  STRING,
  showType,
  unify,
} from '../data-type.ts';
import { Power, powerOf } from '../parser/expressions.ts';
import { printExpression } from '../print.ts';
import type { SqlError } from '../sql-error.ts';
import { bindCall } from './bind-call.ts';
import { Drafts, type Level } from './drafts.ts';
import type { Found, Scope } from './scope.ts';
import { binaryType, castFix, isBoolean, isComparable } from './types.ts';
import { mentions } from './walk.ts';

/** Aliases stand for expressions that have aliases: this bounds the stack of everything that walks what comes of them. */
const MAX_DEPTH = 700;
/** An alias that stands twice in an alias that stands twice in another … is bound that often. */
const MAX_PARTS = 20_000;

/** Where in the statement an expression stands, and what may be in it there. */
export interface Clause {
  readonly name: string;
  readonly level: Level;
  /** Whether a name that is both is the alias; in WHERE and GROUP BY it is the column. */
  readonly prefersAliases: boolean;
  readonly mayAggregate: boolean;
  readonly mayAnalyse: boolean;
  /** The alias whose expression it is: there its name is a column. */
  readonly own?: string;
}

export type Hits = 'where' | 'having' | 'select' | 'trigger';

/** Another column of SELECT by its alias: its slot and type, once it is bound. */
export type Outputs = (alias: string, span: Span) => { readonly slot: number; readonly type: DataType } | undefined;

export class Binder {
  readonly scope: Scope;
  readonly drafts = new Drafts();
  readonly isWindowed: boolean;
  /** Rows of several streams meet only in the window: nothing can remember them before. */
  readonly mayAnalyseRows: boolean;
  usesMeta = false;
  hits: Hits | undefined;
  /** Columns are read after grouping: those of the group's first row. */
  readsGroupRow = false;
  /** Set while the columns of SELECT are bound. */
  outputs: Outputs | undefined;
  readonly #open: string[] = [];
  #depth = 0;
  #parts = 0;

  constructor(scope: Scope, isWindowed: boolean, mayAnalyseRows: boolean) {
    this.scope = scope;
    this.isWindowed = isWindowed;
    this.mayAnalyseRows = mayAnalyseRows;
  }

  /** A condition: boolean, or of a type that only rows tell. */
  condition(expression: Expression, clause: Clause): Bound {
    const bound = this.bind(expression, clause);
    if (isBoolean(bound.type)) return bound;
    const problem = `${clause.name} is a condition, this is of type ${showType(bound.type)}`;
    throw this.error(expression.span, problem, 'compare it with something');
  }

  bind(expression: Expression, clause: Clause): Bound {
    this.#depth += 1;
    this.#parts += 1;
    if (this.#depth > MAX_DEPTH || this.#parts > MAX_PARTS) {
      throw this.error(expression.span, 'aliases that stand for aliases make this expression too large', 'use WITH');
    }
    const bound = this.#bindKind(expression, clause);
    this.#depth -= 1;
    return bound;
  }

  #bindKind(expression: Expression, clause: Clause): Bound {
    switch (expression.kind) {
      case 'literal':
        return literal(expression);
      case 'name':
        return this.#name(expression, clause);
      case 'star':
        throw this.error(expression.span, '* cannot stand here', 'name the columns');
      case 'unary':
        return this.#unary(expression, clause);
      case 'binary':
        return this.#binary(expression, clause);
      case 'between':
        return this.#between(expression, clause);
      case 'like':
        return this.#like(expression, clause);
      case 'in':
        return this.#in(expression, clause);
      case 'isNull':
        return this.#isNull(expression, clause);
      case 'case':
        return this.#case(expression, clause);
      case 'call':
        return bindCall(this, expression, clause);
      case 'member':
        return this.#member(expression, clause);
      case 'index':
        return this.#index(expression, clause);
      case 'slice':
        return this.#slice(expression, clause);
    }
  }

  /** All columns of all sources. */
  row(span: Span, clause: Clause): Bound {
    this.scope.markAllRead();
    if (clause.level === 'group') this.readsGroupRow = true;
    const [source] = this.scope.sources;
    const schema = this.scope.width === 1 ? source?.relation.schema : undefined;
    const says = this.scope.text.slice(span.start, span.end);
    return { kind: 'row', type: { kind: 'struct', fields: schema ?? [] }, says };
  }

  error(span: Span, problem: string, fix?: string): SqlError {
    return this.scope.error({ span, problem, ...(fix === undefined ? {} : { fix }) });
  }

  #name(expression: NameExpression, clause: Clause): Bound {
    const { name, span } = expression;
    const isAlias = this.scope.aliases.has(name) && clause.own !== name;
    if (isAlias && clause.prefersAliases) return this.#alias(name, span, clause);
    const declared = this.scope.column(name, span, true);
    if (declared !== undefined) return this.column(declared, name, span, clause);
    // Without a schema anything may be a column; an alias says that it is not, unless it is made from a column of its own name.
    const alias = this.scope.aliases.get(name);
    if (isAlias && alias !== undefined && !mentions(alias.expression, name)) return this.#alias(name, span, clause);
    const open = this.scope.column(name, span, false);
    if (open !== undefined) return this.column(open, name, span, clause);
    throw this.scope.unknownName(name, span);
  }

  #alias(name: string, span: Span, clause: Clause): Bound {
    const output = this.outputs?.(name, span);
    if (output !== undefined) return { kind: 'output', slot: output.slot, type: output.type, says: name };
    const alias = this.scope.aliases.get(name);
    if (alias === undefined || this.#open.includes(name)) throw this.circle(name, span);
    this.#open.push(name);
    const bound = this.bind(alias.expression, { ...clause, prefersAliases: true, own: name });
    this.#open.pop();
    return bound;
  }

  circle(name: string, span: Span): SqlError {
    const [source] = this.scope.sources;
    return this.error(span, `${name} is made from itself`, `write ${source?.name ?? 'source'}.${name} for the column`);
  }

  column(found: Found, name: string, span: Span, clause: Clause): Bound {
    if (clause.level === 'group') this.readsGroupRow = true;
    const says = this.scope.text.slice(span.start, span.end);
    if (found.kind === 'column') {
      this.scope.markRead(found.source, name);
      return { kind: 'column', source: found.source.index, name, type: found.type, says };
    }
    for (const source of this.scope.sources) this.scope.markRead(source, name);
    return { kind: 'open', name, type: ANY, says };
  }

  #unary(expression: Unary, clause: Clause): Bound {
    const operand = this.bind(expression.operand, clause);
    const { operator } = expression;
    const { type } = operand;
    const isFitting = operator === 'not' ? isBoolean(type) : isNumeric(type) || isOpen(type);
    if (!isFitting) {
      const problem =
        operator === 'not'
          ? `NOT is for conditions, this is of type ${showType(type)}`
          : `a ${showType(type)} cannot be negative`;
      throw this.error(expression.operand.span, problem);
    }
    const result = operator === 'not' ? BOOLEAN : type.kind === 'any' ? FLOAT : type;
    return { kind: 'unary', operator, operand, type: result, says: printExpression(expression) };
  }

  #binary(expression: Binary, clause: Clause): Bound {
    const { operator } = expression;
    const [left, right] = this.#sides(expression.left, expression.right, clause);
    if (powerOf(operator) === Power.comparison && [left, right].some(isNullLiteral)) {
      throw this.error(expression.span, 'a comparison with NULL is never true', 'write IS NULL or IS NOT NULL');
    }
    const type = binaryType(operator, left.type, right.type);
    if (type === undefined) {
      const problem = `${operator.toUpperCase()} does not go with ${showType(left.type)} and ${showType(right.type)}`;
      throw this.error(expression.span, problem, castFix(operator, left.type, right.type));
    }
    return { kind: 'binary', operator, left, right, type, says: printExpression(expression) };
  }

  /** Two values that are compared: a word that is no column beside a string is a string without its quotes. */
  #sides(left: Expression, right: Expression, clause: Clause): [Bound, Bound] {
    if (this.#isUnknown(left) && !this.#isUnknown(right)) {
      const [other, word] = this.#sides(right, left, clause);
      return [word, other];
    }
    const first = this.bind(left, clause);
    const mayBeText = first.type.kind === 'string' && first.kind !== 'literal';
    if (
      right.kind === 'name' &&
      mayBeText &&
      this.#isUnknown(right) &&
      this.scope.nearColumn(right.name) === undefined
    ) {
      throw this.error(right.span, `there is no column ${right.name}`, `write "${right.name}" if it is a string`);
    }
    return [first, this.bind(right, clause)];
  }

  #isUnknown(expression: Expression): boolean {
    if (expression.kind !== 'name') return false;
    const { name, span } = expression;
    return !this.scope.aliases.has(name) && this.scope.column(name, span, false) === undefined;
  }

  #between(expression: Between, clause: Clause): Bound {
    const { isNegated } = expression;
    const operand = this.bind(expression.operand, clause);
    const low = this.bind(expression.low, clause);
    const high = this.bind(expression.high, clause);
    for (const [bound, part] of [
      [low, expression.low],
      [high, expression.high],
    ] as const) {
      this.#mustCompare(operand.type, bound.type, part.span);
    }
    return { kind: 'between', operand, low, high, isNegated, type: BOOLEAN, says: printExpression(expression) };
  }

  #like(expression: Like, clause: Clause): Bound {
    const { isNegated } = expression;
    const operand = this.bind(expression.operand, clause);
    const pattern = this.bind(expression.pattern, clause);
    for (const [bound, part] of [
      [operand, expression.operand],
      [pattern, expression.pattern],
    ] as const) {
      if (bound.type.kind === 'string' || isOpen(bound.type)) continue;
      throw this.error(
        part.span,
        `LIKE is for strings, this is of type ${showType(bound.type)}`,
        'write cast(value, "string")',
      );
    }
    return { kind: 'like', operand, pattern, isNegated, type: BOOLEAN, says: printExpression(expression) };
  }

  #in(expression: In, clause: Clause): Bound {
    const { choices, isNegated } = expression;
    const says = printExpression(expression);
    const operand = this.bind(expression.operand, clause);
    if ('kind' in choices) {
      const list = this.bind(choices, clause);
      if (list.type.kind !== 'array' && !isOpen(list.type)) {
        throw this.error(
          choices.span,
          `IN takes an array, this is of type ${showType(list.type)}`,
          'write parentheses around values',
        );
      }
      return { kind: 'in', operand, choices: list, isNegated, type: BOOLEAN, says };
    }
    const each = choices.map((choice) => {
      const [, bound] = this.#sides(expression.operand, choice, clause);
      this.#mustCompare(operand.type, bound.type, choice.span);
      return bound;
    });
    return { kind: 'in', operand, choices: each, isNegated, type: BOOLEAN, says };
  }

  #mustCompare(left: DataType, right: DataType, span: Span): void {
    if (isComparable(left, right)) return;
    const problem = `${showType(left)} cannot be compared with ${showType(right)}`;
    throw this.error(span, problem, castFix('=', left, right));
  }

  #isNull(expression: IsNull, clause: Clause): Bound {
    const operand = this.bind(expression.operand, clause);
    return {
      kind: 'isNull',
      operand,
      isNegated: expression.isNegated,
      type: BOOLEAN,
      says: printExpression(expression),
    };
  }

  #case(expression: Case, clause: Clause): Bound {
    const subject = expression.subject && this.bind(expression.subject, clause);
    const branches = expression.branches.map(({ when, result }) => {
      const bound = subject === undefined ? this.condition(when, { ...clause, name: 'WHEN' }) : this.bind(when, clause);
      if (subject !== undefined) this.#mustCompare(subject.type, bound.type, when.span);
      return { when: bound, result: this.bind(result, clause) };
    });
    const otherwise = expression.otherwise && this.bind(expression.otherwise, clause);
    const types = [...branches.map(({ result }) => result.type), ...(otherwise === undefined ? [] : [otherwise.type])];
    const type = types.reduce(unify, NULL);
    return { kind: 'case', subject, branches, otherwise, type, says: printExpression(expression) };
  }

  /** `source.column`, or a field of a struct. */
  #member(expression: Member, clause: Clause): Bound {
    const { object, name, through, span } = expression;
    const source = object.kind === 'name' && through === '.' ? this.scope.source(object.name) : undefined;
    if (source !== undefined) return this.column(this.scope.columnOf(source, name, span), name, span, clause);
    const bound = this.bind(object, clause);
    const type = this.#fieldType(bound.type, name, span);
    return { kind: 'member', object: bound, name, type, says: printExpression(expression) };
  }

  #fieldType(type: DataType, name: string, span: Span): DataType {
    if (isOpen(type)) return ANY;
    if (type.kind === 'array') return { kind: 'array', element: this.#fieldType(type.element, name, span) };
    if (type.kind !== 'struct') throw this.error(span, `a ${showType(type)} has no fields`);
    if (type.fields.length === 0) return ANY;
    const field = type.fields.find((one) => one.name === name);
    if (field !== undefined) return field.type;
    throw this.scope.unknown(
      'field',
      name,
      type.fields.map((one) => one.name),
      span,
    );
  }

  #index(expression: Index, clause: Clause): Bound {
    const object = this.bind(expression.object, clause);
    const index = this.bind(expression.index, clause);
    const { type } = object;
    if (type.kind !== 'array' && type.kind !== 'struct' && !isOpen(type)) {
      throw this.error(expression.object.span, `a ${showType(type)} has no elements`);
    }
    const isFitting =
      isOpen(index.type) || isNumeric(index.type) || (type.kind !== 'array' && index.type.kind === 'string');
    if (!isFitting)
      throw this.error(expression.index.span, `an index is a bigint, this is of type ${showType(index.type)}`);
    const element = type.kind === 'array' ? type.element : ANY;
    return { kind: 'index', object, index, type: element, says: printExpression(expression) };
  }

  #slice(expression: Slice, clause: Clause): Bound {
    const object = this.bind(expression.object, clause);
    const { type } = object;
    if (type.kind !== 'array' && !isOpen(type)) {
      throw this.error(
        expression.object.span,
        `a ${showType(type)} has no elements`,
        type.kind === 'string' ? 'use substring' : undefined,
      );
    }
    const [from, to] = [expression.from, expression.to].map((bound) => bound && this.#bound(bound, clause));
    return { kind: 'slice', object, from, to, type, says: printExpression(expression) };
  }

  #bound(expression: Expression, clause: Clause): Bound {
    const bound = this.bind(expression, clause);
    if (isNumeric(bound.type) || isOpen(bound.type)) return bound;
    throw this.error(expression.span, `an index is a bigint, this is of type ${showType(bound.type)}`);
  }
}

function isNullLiteral(bound: Bound): boolean {
  return bound.kind === 'literal' && bound.type.kind === 'null';
}

const LITERAL_TYPES = { bigint: BIGINT, float: FLOAT, string: STRING, boolean: BOOLEAN, null: NULL };

function literal(expression: Literal): Bound {
  const { value, type } = expression;
  return { kind: 'literal', value: value ?? undefined, type: LITERAL_TYPES[type], says: printExpression(expression) };
}
