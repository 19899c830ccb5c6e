/** What a statement reads: streams, tables, and its own common tables. */
import type { SourceReference, Statement } from '../ast.ts';
import type { Catalog, Relation } from '../catalog.ts';
import { nearest } from '../nearest.ts';
import { SqlError } from '../sql-error.ts';
import { idOf } from './ids.ts';
import type { Plan, SourceNode } from './plan.ts';
import type { ScopeSource } from './scope.ts';

/** Rows of so many sources are joined at most. */
const MAX_SOURCES = 16;

export interface Source extends ScopeSource {
  readonly query?: Plan;
  readonly reference: SourceReference;
}

export type Queries = ReadonlyMap<string, Plan>;

export function resolveSources(statement: Statement, catalog: Catalog, queries: Queries): readonly Source[] {
  const { text, from, joins } = statement;
  const references = [from, ...joins.map(({ source }) => source)];
  const sources = references.map((reference, index) => resolve(statement, reference, index, catalog, queries));
  const names = sources.map(({ name }) => name);
  for (const [index, { name, reference }] of sources.entries()) {
    if (names.indexOf(name) === index) continue;
    const { span } = reference.alias ?? reference.name;
    throw new SqlError(text, { span, problem: `two sources are called ${name}`, fix: 'give one another name with AS' });
  }
  const [first] = sources;
  if (first?.relation.kind === 'table') {
    const { span } = first.reference.name;
    const fix = 'select FROM a stream and join the table';
    throw new SqlError(text, { span, problem: `${first.name} is a table, which gives no rows by itself`, fix });
  }
  if (sources.length > MAX_SOURCES) {
    throw new SqlError(text, { span: from.name.span, problem: `more than ${MAX_SOURCES} sources`, fix: 'use WITH' });
  }
  return sources;
}

function resolve(
  { text, window }: Statement,
  reference: SourceReference,
  index: number,
  catalog: Catalog,
  queries: Queries,
): Source {
  const { text: name, span } = reference.name;
  const query = queries.get(name);
  // Without a window, nothing but a table is joined.
  const likely = index === 0 || window !== undefined ? 'stream' : 'table';
  const relation = query === undefined ? catalog.relation(name, likely) : relationOf(name, query);
  if (relation === undefined) {
    const known = [...queries.keys(), ...catalog.relationNames()];
    const meant = nearest(name, known);
    const fix = meant === undefined ? listOf(known) : `did you mean ${meant}?`;
    throw new SqlError(text, {
      span,
      problem: `there is no stream or table ${name}`,
      ...(fix === undefined ? {} : { fix }),
    });
  }
  return { name: reference.alias?.text ?? name, index, relation, reference, ...(query === undefined ? {} : { query }) };
}

const LISTED = 8;

function listOf(known: readonly string[]): string | undefined {
  return known.length === 0
    ? undefined
    : `there are ${known.slice(0, LISTED).join(', ')}${known.length > LISTED ? ', …' : ''}`;
}

function relationOf(name: string, { schema }: Plan): Relation {
  return { kind: 'stream', name, ...(schema === undefined ? {} : { schema }) };
}

export function sourceNode({ name, index, relation, query }: Source, read: ReadonlySet<string>): SourceNode {
  const origin = query === undefined ? [relation.kind, relation.name] : ['query', query.root.id];
  return {
    kind: 'source',
    id: idOf('source', index, ...origin),
    says: relation.name === name ? name : `${relation.name} AS ${name}`,
    index,
    name,
    relation,
    ...(query === undefined ? {} : { query }),
    ...(read.has('*') ? {} : { columns: [...read].sort() }),
  };
}
