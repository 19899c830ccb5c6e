/** The language of rules: filter and projection on JSON and on decoded rows, expressions, and a tumbling average over 1,000 keys. */
import { createContext, type Plan, type PlanNode, parse, plan, type Row } from '@skerry/streams/sql';
import { report, round } from './support/figures.ts';

const DURATION_MS = 3000;
const ROWS = 1000;

const context = createContext({ ruleId: 'bench', now: Date.now });
const catalog = {
  relation: (name: string) => ({ kind: 'stream', name }) as const,
  relationNames: () => [],
  userFunction: () => undefined,
  userFunctionNames: () => [],
};

const rows: readonly Row[] = Array.from({ length: ROWS }, (_, index) => ({
  temperature: 20 + (index % 30) + 0.5,
  humidity: index % 100,
  id: `device-${index}`,
  ts: 1_700_000_000_000 + index,
}));
const messages = rows.map((row) => JSON.stringify(row));

const README_RULE = 'SELECT temperature, humidity FROM demo WHERE temperature > 30';
const LONG_RULE =
  'SELECT temperature * 1.8 + 32 AS f, humidity, concat(id, "-x") AS k FROM demo WHERE temperature > 30 AND id LIKE "device-%"';

const bare = perSecond((index) => typeof JSON.parse(messages[index] ?? '') === 'object');
const json = perSecond(filterAndProject(README_RULE, (index) => JSON.parse(messages[index] ?? '') as Row));
report(
  {
    name: 'filter and project, from JSON',
    value: json,
    unit: '/s',
    atLeast: 300_000,
    ratio: round(json / bare, 2),
    of: 'JSON.parse alone',
  },
  { name: 'filter and project, from rows', value: perSecond(filterAndProject(README_RULE, rowAt)), unit: '/s' },
  {
    name: 'three conditions and three expressions, from rows',
    value: perSecond(filterAndProject(LONG_RULE, rowAt)),
    unit: '/s',
  },
  {
    name: 'tumbling average over 1,000 keys, from rows',
    value: perSecond(aggregateByKey()),
    unit: '/s',
    atLeast: 5_000_000,
  },
);

function rowAt(index: number): Row {
  return rows[index] ?? {};
}

function filterAndProject(text: string, read: (index: number) => Row): (index: number) => boolean {
  const { root } = plan(parse(text), catalog);
  if (root.kind !== 'project' || root.input.kind !== 'filter') throw new Error('the rule filters and projects');
  const { project, input } = root;
  return (index) => {
    const row = read(index);
    return input.predicate(row, context) && project(row, context) !== undefined;
  };
}

function aggregateByKey(): (index: number) => boolean {
  const { key, calls } = aggregateOf(
    plan(parse('SELECT id, avg(temperature) FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 10)'), catalog),
  );
  const groups = new Map<string, readonly object[]>();
  return (index) => {
    const row = rowAt(index);
    const name = key?.(row, context) ?? '';
    let states = groups.get(name);
    if (states === undefined) {
      states = calls.map((call) => call.create());
      groups.set(name, states);
    }
    for (let slot = 0; slot < calls.length; slot++) calls[slot]?.add(states[slot] ?? {}, row, context);
    return true;
  };
}

function aggregateOf({ root }: Plan): Extract<PlanNode, { kind: 'aggregate' }> {
  if (root.kind !== 'project' || root.input.kind !== 'aggregate') throw new Error('the rule aggregates');
  return root.input;
}

function perSecond(turn: (index: number) => boolean): number {
  const started = performance.now();
  let turns = 0;
  let passed = 0;
  while (performance.now() - started < DURATION_MS) {
    for (let index = 0; index < ROWS; index++) if (turn(index)) passed += 1;
    turns += ROWS;
  }
  if (passed === 0) throw new Error('nothing passed');
  return Math.round((turns * 1000) / (performance.now() - started));
}
