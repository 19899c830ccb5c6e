/** Small streams, and statements run on rows in the plainest way there is. */
import type { Catalog, Relation, UserFunction } from '../catalog.ts';
import { createContext } from '../context.ts';
import { ANY, arrayOf, BIGINT, BOOLEAN, BYTEA, DATETIME, FLOAT, type Schema, STRING } from '../data-type.ts';
import { parse } from '../parser/parse.ts';
import { inputsOf } from '../plan/explain.ts';
import type { AggregateNode, AnalyticNode, AnalyticState, Plan, PlanNode, ProjectNode } from '../plan/plan.ts';
import { plan } from '../plan/planner.ts';
import type { EvalContext, Row, Value } from '../value.ts';

const NOW = Date.UTC(2026, 1, 3, 4, 5, 6, 789);

/** `s` has a schema, `demo` and `other` have none, `t` is a table. */
const SCHEMAS: Readonly<Record<string, Schema | undefined>> = {
  demo: undefined,
  other: undefined,
  'line-1': undefined,
  s: [
    { name: 'i', type: BIGINT },
    { name: 'j', type: BIGINT },
    { name: 'f', type: FLOAT },
    { name: 'text', type: STRING },
    { name: 'flag', type: BOOLEAN },
    { name: 'at', type: DATETIME },
    { name: 'raw', type: BYTEA },
    { name: 'list', type: arrayOf(FLOAT) },
    {
      name: 'place',
      type: {
        kind: 'struct',
        fields: [
          { name: 'x', type: FLOAT },
          { name: 'y', type: ANY },
        ],
      },
    },
  ],
  t: [
    { name: 'id', type: BIGINT },
    { name: 'label', type: STRING },
  ],
};

const twice: UserFunction = { name: 'twice', parameters: [FLOAT], returns: FLOAT, call: ([x]) => Number(x) * 2 };

export const catalog: Catalog = {
  relation: (name): Relation | undefined => {
    if (!Object.hasOwn(SCHEMAS, name)) return undefined;
    const schema = SCHEMAS[name];
    return { kind: name === 't' ? 'table' : 'stream', name, ...(schema === undefined ? {} : { schema }) };
  },
  relationNames: () => Object.keys(SCHEMAS),
  userFunction: (name) => (name === 'twice' ? twice : undefined),
  userFunctionNames: () => ['twice'],
};

export function planOf(text: string): Plan {
  return plan(parse(text), catalog);
}

export function testContext(changes: Partial<EvalContext> = {}): EvalContext {
  const context = createContext({ ruleId: 'rule-1', now: () => NOW, random: () => 0.25 });
  const row = { eventTime: 1000, windowStart: 2000, windowEnd: 3000, windowTrigger: 2500, rowNumber: 7 };
  return Object.assign(context, row, changes);
}

export function nodeOf<Kind extends PlanNode['kind']>(
  { root }: Plan,
  kind: Kind,
): Extract<PlanNode, { kind: Kind }> | undefined {
  const open: PlanNode[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.kind === kind) return node as Extract<PlanNode, { kind: Kind }>;
    open.push(...inputsOf(node));
  }
  return undefined;
}

/** The value of an expression on a row of a stream without schema. */
export function evaluate(expression: string, row: Row = {}, context = testContext()): Value {
  return firstValue(planOf(`SELECT ${expression} AS v FROM demo`), row, context);
}

/** The same on a row of `s`. */
export function evaluateTyped(expression: string, row: Row = {}, context = testContext()): Value {
  return firstValue(planOf(`SELECT ${expression} AS v FROM s`), row, context);
}

function firstValue(planned: Plan, row: Row, context: EvalContext): Value {
  return projectOf(planned).project(row, context)['v'];
}

function projectOf(planned: Plan): ProjectNode {
  const node = nodeOf(planned, 'project');
  if (node === undefined) throw new Error('every plan projects');
  return node;
}

/** Row by row without a window: analytic calls, WHERE, columns. Saves and loads all state before each row when asked to. */
export function runRows(text: string, rows: readonly Row[], isReloaded = false): Row[] {
  const planned = planOf(text);
  const context = testContext();
  const analytic = nodeOf(planned, 'analytic');
  const filter = nodeOf(planned, 'filter');
  const project = projectOf(planned);
  const expand = nodeOf(planned, 'unnest');
  const states = new Map<string, AnalyticState>();
  return rows.flatMap((row) => {
    if (analytic !== undefined) stepAll(analytic, states, row, context, isReloaded);
    if (filter !== undefined && !filter.predicate(row, context)) return [];
    const result = project.project(row, context);
    return expand === undefined ? [result] : expand.expand(result);
  });
}

function stepAll(
  { calls }: AnalyticNode,
  states: Map<string, AnalyticState>,
  row: Row,
  context: EvalContext,
  isReloaded: boolean,
): void {
  for (const call of calls) {
    const key = `${call.id} ${call.partition?.(row, context) ?? ''}`;
    const known = states.get(key) ?? call.create();
    const state = isReloaded ? call.load(JSON.parse(JSON.stringify(call.save(known)))) : known;
    states.set(key, state);
    context.analytic[call.slot] = call.step(state, row, context);
  }
}

/** All rows as one window: groups in the order in which they came. */
export function runWindow(text: string, rows: readonly Row[]): Row[] {
  const planned = planOf(text);
  const context = testContext();
  const aggregate = nodeOf(planned, 'aggregate');
  if (aggregate === undefined) throw new Error('the statement does not group');
  const where = nodeOf(planned, 'filter')?.predicate ?? nodeOf(planned, 'window')?.where;
  const held = where === undefined ? rows : rows.filter((row) => where(row, context));
  const having = nodeOf(planned, 'having');
  return groupsOf(aggregate, held, context).flatMap(({ first, results }) => {
    context.aggregates = results;
    return having === undefined || having.predicate(first, context) ? [projectOf(planned).project(first, context)] : [];
  });
}

function groupsOf({ key, calls }: AggregateNode, rows: readonly Row[], context: EvalContext) {
  const groups = Map.groupBy(rows, (row) => key?.(row, context) ?? '');
  return [...groups.values()].map((members) => {
    const states = calls.map((call) => call.create());
    for (const row of members) for (const [slot, call] of calls.entries()) call.add(states[slot] ?? {}, row, context);
    return { first: members[0] ?? {}, results: calls.map((call, slot) => call.result(states[slot] ?? {})) };
  });
}
