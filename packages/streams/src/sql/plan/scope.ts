/** What the names of a statement stand for. */
import type { Expression, Span } from '../ast.ts';
import type { Catalog, Relation } from '../catalog.ts';
import { ANY, type DataType, type Schema } from '../data-type.ts';
import { nearest } from '../nearest.ts';
import { SqlError, type SqlProblem } from '../sql-error.ts';

export interface ScopeSource {
  /** What qualifies its columns. */
  readonly name: string;
  readonly index: number;
  readonly relation: Relation;
}

export interface Alias {
  readonly name: string;
  readonly expression: Expression;
  /** Its place among the columns of SELECT. */
  readonly slot: number;
}

export type Found =
  | { readonly kind: 'column'; readonly source: ScopeSource; readonly type: DataType }
  /** One of the sources without schema may have it. */
  | { readonly kind: 'open' };

export class Scope {
  readonly text: string;
  readonly catalog: Catalog;
  readonly sources: readonly ScopeSource[];
  readonly aliases: ReadonlyMap<string, Alias>;
  /** Names of columns that are read, by source; `*` for all. */
  readonly read: readonly Set<string>[];

  constructor(text: string, catalog: Catalog, sources: readonly ScopeSource[], aliases: readonly Alias[]) {
    this.text = text;
    this.catalog = catalog;
    this.sources = sources;
    this.aliases = new Map(aliases.map((alias) => [alias.name, alias]));
    this.read = sources.map(() => new Set());
  }

  get width(): number {
    return this.sources.length;
  }

  source(name: string): ScopeSource | undefined {
    return this.sources.find((one) => one.name === name);
  }

  markRead(source: ScopeSource, column: string): void {
    this.read[source.index]?.add(column);
  }

  markAllRead(): void {
    for (const columns of this.read) columns.add('*');
  }

  /** A column without a source before it. Only what schemas say counts when `isDeclared`. */
  column(name: string, span: Span, isDeclared: boolean): Found | undefined {
    const declared = this.sources.filter(({ relation }) => typeIn(relation.schema, name) !== undefined);
    const [source, other] = declared;
    if (source !== undefined && other !== undefined) {
      const choices = declared.map((one) => `${one.name}.${name}`).join(' or ');
      throw this.error({ span, problem: `${name} is a column of more than one source`, fix: `write ${choices}` });
    }
    if (source !== undefined) return { kind: 'column', source, type: typeIn(source.relation.schema, name) ?? ANY };
    if (isDeclared) return undefined;
    const open = this.sources.filter(({ relation }) => relation.schema === undefined);
    const [only] = open;
    if (only === undefined) return undefined;
    return open.length === 1 ? { kind: 'column', source: only, type: ANY } : { kind: 'open' };
  }

  /** `source.column`. */
  columnOf(source: ScopeSource, name: string, span: Span): Found {
    const { schema } = source.relation;
    if (schema === undefined) return { kind: 'column', source, type: ANY };
    const type = typeIn(schema, name);
    if (type !== undefined) return { kind: 'column', source, type };
    throw this.unknown(
      'column',
      name,
      schema.map((field) => field.name),
      span,
      `${source.name} has no column ${name}`,
    );
  }

  unknownName(name: string, span: Span): SqlError {
    if (this.source(name) !== undefined) {
      return this.error({ span, problem: `${name} is a source, not a column`, fix: `write ${name}.column` });
    }
    return this.unknown('column', name, this.#columns(), span);
  }

  /** The column that was probably meant. */
  nearColumn(name: string): string | undefined {
    return nearest(name, this.#columns());
  }

  #columns(): readonly string[] {
    const columns = this.sources.flatMap(({ relation }) => (relation.schema ?? []).map((field) => field.name));
    return [...columns, ...this.aliases.keys()];
  }

  unknown(
    what: string,
    name: string,
    known: readonly string[],
    span: Span,
    problem = `there is no ${what} ${name}`,
  ): SqlError {
    const meant = nearest(name, known);
    const fix = meant === undefined ? listOf(known) : `did you mean ${meant}?`;
    return this.error({ span, problem, ...(fix === undefined ? {} : { fix }) });
  }

  error(problem: SqlProblem): SqlError {
    return new SqlError(this.text, problem);
  }
}

const LISTED = 8;

function listOf(known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const more = known.length > LISTED ? ', …' : '';
  return `there are ${known.slice(0, LISTED).join(', ')}${more}`;
}

function typeIn(schema: Schema | undefined, name: string): DataType | undefined {
  return schema?.find((field) => field.name === name)?.type;
}

/** What a column is called that has no alias; undefined when only a number can name it. */
export function nameOf(expression: Expression): string | undefined {
  switch (expression.kind) {
    case 'name':
    case 'member':
    case 'call':
      return expression.name;
    case 'index':
    case 'slice':
      return nameOf(expression.object);
    default:
      return undefined;
  }
}
