/** Gives names their meaning and expressions their types. */
import type { Expression, Literal, NameExpression, Span } from '../ast.ts';
import type { Bound } from '../compile/bound.ts';
import { ANY, BIGINT, BOOLEAN, type DataType, FLOAT, NULL, STRING, showType } from '../data-type.ts';
import { printExpression } from '../print.ts';
import type { SqlError } from '../sql-error.ts';
import { bindIndex, bindMember, bindSlice } from './bind-access.ts';
import { bindCall } from './bind-call.ts';
import { bindBetween, bindBinary, bindCase, bindIn, bindIsNull, bindLike, bindUnary } from './bind-operators.ts';
import { Drafts, type Level } from './drafts.ts';
import type { Found, Scope } from './scope.ts';
import { isBoolean } from './types.ts';
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
        return bindUnary(this, expression, clause);
      case 'binary':
        return bindBinary(this, expression, clause);
      case 'between':
        return bindBetween(this, expression, clause);
      case 'like':
        return bindLike(this, expression, clause);
      case 'in':
        return bindIn(this, expression, clause);
      case 'isNull':
        return bindIsNull(this, expression, clause);
      case 'case':
        return bindCase(this, expression, clause);
      case 'call':
        return bindCall(this, expression, clause);
      case 'member':
        return bindMember(this, expression, clause);
      case 'index':
        return bindIndex(this, expression, clause);
      case 'slice':
        return bindSlice(this, expression, clause);
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
}

const LITERAL_TYPES = { bigint: BIGINT, float: FLOAT, string: STRING, boolean: BOOLEAN, null: NULL };

function literal(expression: Literal): Bound {
  const { value, type } = expression;
  return { kind: 'literal', value: value ?? undefined, type: LITERAL_TYPES[type], says: printExpression(expression) };
}
