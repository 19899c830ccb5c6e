/** For tests: a statement on rows that are given, under a clock that follows them. */
import type { Rule, RuleSpec } from '../../kinds/rule.ts';
import type { Stream, StreamSpec } from '../../kinds/stream.ts';
import type { Table } from '../../kinds/table.ts';
import { createContext, type Row, type UserFunction } from '../../sql/index.ts';
import { createFlow, type Flow, type SavedFlow } from '../flow.ts';
import { contextOf, limitsOf, type PreparedRule, prepareRule, timingOf } from '../rule/prepare.ts';

export const STREAM: StreamSpec = { source: { simulator: {} }, timestamp: { field: 'ts' } };

export interface QuerySettings {
  readonly streams?: Readonly<Record<string, StreamSpec>>;
  readonly tables?: readonly string[];
  readonly options?: RuleSpec['options'];
  readonly functions?: readonly UserFunction[];
}

export function prepared(
  sql: string,
  { streams = { demo: STREAM }, tables = [], options, functions = [] }: QuerySettings = {},
): PreparedRule {
  const rule: Rule = objectOf('Rule', 'r', { sql, ...(options === undefined ? {} : { options }) });
  return prepareRule(rule, {
    functions,
    around: {
      stream: (name) => (streams[name] === undefined ? undefined : objectOf<Stream>('Stream', name, streams[name])),
      table: (name) => (tables.includes(name) ? objectOf<Table>('Table', name, { source: {} }) : undefined),
      streamNames: () => Object.keys(streams),
      tableNames: () => tables,
    },
  });
}

function objectOf<T extends Rule | Stream | Table>(kind: string, name: string, spec: T['spec']): T {
  return { apiVersion: 'streams.skerry.io/v1alpha1', kind, metadata: { name }, spec } as T;
}

export interface OpenFlow {
  readonly flow: Flow;
  readonly results: Row[];
  readonly late: Row[];
}

/** A flow of the rule, from what another one has saved. */
export function openFlow(rule: PreparedRule, saved?: SavedFlow): OpenFlow {
  const results: Row[] = [];
  const late: Row[] = [];
  const flow = createFlow({
    plan: rule.plan,
    limits: limitsOf(rule.spec),
    createContext: (meta) => createContext({ ...contextOf(rule), now: () => 0, meta }),
    timing: (stream) => timingOf(rule.spec, rule.streams.get(stream)),
    table: () => ({ find: () => [] }),
    onRows: (rows) => results.push(...rows),
    onLate: (_stream, row) => late.push(row),
    onError: (_operator, error) => {
      throw error;
    },
  });
  if (saved !== undefined) flow.load(saved);
  return { flow, results, late };
}
