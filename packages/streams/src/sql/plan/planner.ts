/** From a statement to its plan. */
import type { Expression, Statement } from '../ast.ts';
import type { Catalog } from '../catalog.ts';
import type { Bound } from '../compile/bound.ts';
import { compile, compilePredicate } from '../compile/expression.ts';
import { printExpression, printItems } from '../print.ts';
import { SqlError } from '../sql-error.ts';
import { Binder, type Clause } from './binder.ts';
import { idOf } from './ids.ts';
import { type BoundJoin, bindJoin, joinNode, lookupNode } from './joins.ts';
import type { AggregateNode, AnalyticNode, Plan, PlanNode, SourceNode } from './plan.ts';
import { aliasesOf, bindProjection, type Projection } from './projection.ts';
import { Scope } from './scope.ts';
import { type Queries, resolveSources, type Source, sourceNode } from './sources.ts';
import { aggregateCall, analyticCall, keyReader } from './states.ts';
import { hasAggregate } from './walk.ts';
import { type BoundWindow, bindWindow, windowNode } from './window.ts';

/** Throws a SqlError where names, types or clauses do not fit. */
export function plan(statement: Statement, catalog: Catalog): Plan {
  const queries = new Map<string, Plan>();
  for (const { name, query } of statement.with) {
    if (queries.has(name.text)) {
      throw new SqlError(statement.text, { span: name.span, problem: `two common tables are called ${name.text}` });
    }
    queries.set(name.text, planOne(query, catalog, queries));
  }
  return planOne(statement, catalog, queries);
}

/** Everything of a statement with its names and types; what is left is to put it into order. */
interface BoundStatement {
  readonly binder: Binder;
  readonly sources: readonly Source[];
  readonly joins: readonly BoundJoin[];
  readonly where: Bound | undefined;
  readonly window: BoundWindow | undefined;
  readonly keys: readonly Bound[];
  readonly isGrouped: boolean;
  readonly having: Bound | undefined;
  readonly order: readonly { readonly bound: Bound; readonly isDescending: boolean }[];
  readonly projection: Projection;
}

function planOne(statement: Statement, catalog: Catalog, queries: Queries): Plan {
  const bound = bindStatement(statement, catalog, queries);
  const { binder, sources, projection } = bound;
  const nodes = sources.map((source) => sourceNode(source, binder.scope.read[source.index] ?? new Set()));
  return {
    root: chain(statement, bound, nodes),
    sources: nodes,
    ...(projection.schema === undefined ? {} : { schema: projection.schema }),
    ...(binder.hits === undefined ? {} : { hits: binder.hits }),
    usesMeta: binder.usesMeta,
  };
}

function bindStatement(statement: Statement, catalog: Catalog, queries: Queries): BoundStatement {
  const { text, items, joins, groupBy, window, orderBy } = statement;
  const sources = resolveSources(statement, catalog, queries);
  const scope = new Scope(text, catalog, sources, aliasesOf(items));
  const joinsStreams = sources.slice(1).some(({ relation }) => relation.kind === 'stream');
  const binder = new Binder(scope, window !== undefined, !joinsStreams);
  const boundJoins = joins.map((join, index) => bindJoin(binder, join, sources[index + 1] as Source));
  const row = (name: string): Clause => ({ ...ROW, name, mayAnalyse: binder.mayAnalyseRows });
  const boundWindow = window && bindWindow(binder, window);
  const where = statement.where && binder.condition(statement.where, row('WHERE'));
  const keys = groupBy.map((key) => binder.bind(key, row('GROUP BY')));
  checkWindow(binder, statement, boundJoins);
  const group: Clause = { ...GROUP, level: window === undefined ? 'row' : 'group' };
  binder.readsGroupRow = false;
  const projection = bindProjection(binder, items, group);
  const having = statement.having && binder.condition(statement.having, { ...group, name: 'HAVING' });
  const order = orderBy.map(({ expression, isDescending }) => ({
    bound: binder.bind(expression, { ...group, name: 'ORDER BY' }),
    isDescending,
  }));
  const isGrouped = keys.length > 0 || binder.drafts.aggregates.length > 0;
  return { binder, sources, joins: boundJoins, where, window: boundWindow, keys, isGrouped, having, order, projection };
}

const ROW = { level: 'row', prefersAliases: false, mayAggregate: false } as const;
const GROUP = { name: 'SELECT', prefersAliases: true, mayAggregate: true, mayAnalyse: true } as const;

/** What cannot be without a window. */
function checkWindow(binder: Binder, { window, groupBy, having, joins }: Statement, bound: readonly BoundJoin[]): void {
  if (window !== undefined) return;
  const stream = bound.findIndex(({ source }) => source.relation.kind === 'stream');
  const fix = 'add GROUP BY TUMBLINGWINDOW(ss, 10)';
  if (stream >= 0)
    throw binder.error(joins[stream]?.span ?? { start: 0, end: 1 }, 'streams are joined within a window', fix);
  const [key] = groupBy;
  if (key !== undefined)
    throw binder.error(key.span, 'rows are grouped within a window', 'add a window such as TUMBLINGWINDOW(ss, 10)');
  if (having !== undefined && !hasAggregate(having))
    throw binder.error(having.span, 'HAVING is for groups', 'write WHERE');
}

/** Operators in the order in which rows go through them. */
function chain(statement: Statement, bound: BoundStatement, nodes: readonly SourceNode[]): PlanNode {
  const { window } = bound;
  const rows = window === undefined ? rowChain(statement, bound, nodes) : windowChain(statement, bound, window, nodes);
  const analysed = analytic(bound, 'group', rows);
  const { binder, having, order, projection } = bound;
  const options = { width: binder.scope.width };
  let node = analysed;
  if (having !== undefined) {
    const id = idOf('having', node.id, binder.drafts.digest(having));
    node = {
      kind: 'having',
      id,
      says: sayClause('HAVING', statement.having),
      input: node,
      predicate: compilePredicate(having, options),
    };
  }
  if (order.length > 0) {
    const keys = order.map(({ bound: key, isDescending }) => ({ value: compile(key, options), isDescending }));
    const texts = order.map(({ bound: key, isDescending }) => [binder.drafts.digest(key), isDescending]);
    const says = `ORDER BY ${statement.orderBy.map(({ expression, isDescending }) => `${printExpression(expression)}${isDescending ? ' DESC' : ''}`).join(', ')}`;
    node = { kind: 'order', id: idOf('order', node.id, texts), says, input: node, keys };
  }
  return output(statement, projection, node);
}

function output(
  { items, limit }: Statement,
  { project, expand, text: columns }: Projection,
  input: PlanNode,
): PlanNode {
  const says = printItems(items);
  let node: PlanNode = { kind: 'project', id: idOf('project', input.id, columns), says, input, project };
  if (expand !== undefined) node = { kind: 'unnest', id: idOf('unnest', node.id), says: 'unnest', input: node, expand };
  if (limit !== undefined)
    node = { kind: 'limit', id: idOf('limit', node.id, limit), says: `LIMIT ${limit}`, input: node, count: limit };
  return node;
}

function sayClause(word: string, expression: Expression | undefined): string {
  return expression === undefined ? word : `${word} ${printExpression(expression)}`;
}

function rowChain(statement: Statement, bound: BoundStatement, nodes: readonly SourceNode[]): PlanNode {
  return filter(statement, bound, analytic(bound, 'row', lookups(bound, nodes)));
}

function windowChain(
  statement: Statement,
  bound: BoundStatement,
  window: BoundWindow,
  nodes: readonly SourceNode[],
): PlanNode {
  const { binder, joins, where, isGrouped } = bound;
  const streams = joins.filter(({ source }) => source.relation.kind === 'stream');
  const rows = analytic(bound, 'row', lookups(bound, nodes));
  if (streams.length > 0) {
    const others = streams.map(({ source }) => nodes[source.index] as SourceNode);
    const inWindow = windowNode(binder, window, { inputs: [rows, ...others], where: undefined, keepsRows: true });
    const joined = streams.reduce<PlanNode>((input, join) => joinNode(join, input, binder), inWindow);
    return aggregate(statement, bound, filter(statement, bound, joined));
  }
  // Windows of time hold the same rows whether those that WHERE refuses are dropped before or after; for all others they count.
  const { type } = window.window;
  const isBefore = type === 'tumbling' || type === 'hopping';
  const input = isBefore ? filter(statement, bound, rows) : rows;
  const place = { inputs: [input], where: isBefore ? undefined : where, keepsRows: !isGrouped };
  return aggregate(statement, bound, windowNode(binder, window, place));
}

/** Joins with tables, in their order. */
function lookups({ binder, joins }: BoundStatement, nodes: readonly SourceNode[]): PlanNode {
  const tables = joins.filter(({ source }) => source.relation.kind === 'table');
  return tables.reduce<PlanNode>(
    (input, join) => lookupNode(join, input, nodes[join.source.index] as SourceNode, binder),
    nodes[0] as SourceNode,
  );
}

function filter(statement: Statement, { binder, where }: BoundStatement, input: PlanNode): PlanNode {
  if (where === undefined) return input;
  const predicate = compilePredicate(where, { width: binder.scope.width });
  return {
    kind: 'filter',
    id: idOf('filter', input.id, binder.drafts.digest(where)),
    says: sayClause('WHERE', statement.where),
    input,
    predicate,
  };
}

function analytic({ binder }: BoundStatement, level: 'row' | 'group', input: PlanNode): PlanNode {
  const drafts = binder.drafts.analytic.filter((draft) => draft.level === level);
  if (drafts.length === 0) return input;
  const options = { width: binder.scope.width };
  const calls = drafts.map((draft) =>
    analyticCall(draft, idOf('analytic', input.id, binder.drafts.analyticDigest(draft.slot)), options),
  );
  const node: AnalyticNode = {
    kind: 'analytic',
    id: idOf(
      'analytic',
      input.id,
      calls.map(({ id }) => id),
    ),
    says: calls.map(({ says }) => says).join(', '),
    input,
    level,
    calls,
  };
  return node;
}

function aggregate(statement: Statement, { binder, keys, isGrouped }: BoundStatement, input: PlanNode): PlanNode {
  if (!isGrouped) return input;
  const options = { width: binder.scope.width };
  const key = keyReader(keys, options);
  const calls = binder.drafts.aggregates.map((draft) =>
    aggregateCall(draft, idOf('aggregate', input.id, binder.drafts.aggregateDigest(draft.slot)), options),
  );
  const by = statement.groupBy.map((expression) => printExpression(expression));
  const texts = keys.map((one) => binder.drafts.digest(one));
  const node: AggregateNode = {
    kind: 'aggregate',
    id: idOf(
      'aggregate',
      input.id,
      texts,
      calls.map(({ id }) => id),
      binder.readsGroupRow,
    ),
    says: [...calls.map(({ says }) => says), ...(by.length > 0 ? [`by ${by.join(', ')}`] : [])].join(', '),
    input,
    ...(key === undefined ? {} : { key }),
    calls,
    needsRow: binder.readsGroupRow,
  };
  return node;
}
