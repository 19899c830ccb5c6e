/** RuleTest, the kind of `telemetry.skerry.io` that tries a rule: created, answered with what the rule gives, stored nowhere. */
import { type KubeObject, type ResourceRow, type Schema, StatusError } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { describeStubs } from '../engine/rule/function-stubs.ts';
import { millisecondsOf, type PreparedRule, prepareRule, RuleProblem } from '../engine/rule/prepare.ts';
import { failureOf, plain, replay } from '../engine/rule/run-test.ts';
import { RULES, STREAMS, STREAMS_API_VERSION, TABLES } from '../kinds/group.ts';
import type { Rule, TestRow } from '../kinds/rule.ts';
import type { Stream } from '../kinds/stream.ts';
import type { Table } from '../kinds/table.ts';
import { checked } from '../telemetry/checked.ts';
import { OBJECT, SERIES_QUERY_ROW } from '../telemetry/series-query.ts';
import { surroundings } from './admission.ts';

export interface RuleTestRun extends KubeObject {
  readonly spec: RuleTestSpec;
  readonly status?: RuleTestStatus;
}

interface RuleTestSpec {
  readonly rule?: string;
  readonly sql?: string;
  readonly node?: string;
  readonly rows?: readonly TestRow[];
}

interface RuleTestStatus {
  readonly cases?: readonly { readonly name: string; readonly passed: boolean; readonly failure?: string }[];
  readonly results?: readonly unknown[];
  readonly late?: readonly unknown[];
  readonly errors?: readonly string[];
  readonly dropped?: Readonly<Record<string, number>>;
  readonly isCut?: boolean;
}

/** The API server waits meanwhile: more rows are for "skerry rule test", which runs where it is called. */
const MAX_ROWS = 1000;
/** Rows of an answer, and how much JSON they may be together. */
const MAX_RESULTS = 1000;
const MAX_RESULT_BYTES = 4 * 1024 * 1024;

interface Create {
  readonly object: KubeObject;
  readonly signal: AbortSignal;
}

/** A virtual kind for the API server's table. `client` shows rules, streams and tables. */
export function ruleTestsKind(client: Pick<Client, 'get' | 'list'>) {
  return {
    row: ROW,
    schema: SCHEMA,
    read: async (): Promise<readonly KubeObject[]> => [],
    create: async ({ object, signal }: Create): Promise<KubeObject> => {
      const { metadata, spec } = checked<RuleTestRun>(object, SCHEMA);
      const rule = await prepared(client, { namespace: metadata.namespace ?? '', spec, signal });
      const { rows } = spec;
      if (rows !== undefined && rows.length > MAX_ROWS)
        throw refused(`more than ${MAX_ROWS} rows are tried by "skerry rule test"`);
      return { ...object, status: rows === undefined ? runCases(rule) : runRows(rule, rows) };
    },
  };
}

interface Asked {
  readonly namespace: string;
  readonly spec: RuleTestSpec;
  readonly signal: AbortSignal;
}

async function prepared(client: Pick<Client, 'get' | 'list'>, asked: Asked): Promise<PreparedRule> {
  const { namespace, spec, signal } = asked;
  const [rule, streams, tables] = await Promise.all([
    ruleOf(client, asked),
    client.list<Stream>(STREAMS, { namespace, signal }),
    client.list<Table>(TABLES, { namespace, signal }),
  ]);
  const { functions = [] } = rule.spec;
  // Functions are JavaScript, and the rows of tables are read: at nodes, not here.
  if (functions.length > 0) throw refused('rules with functions are tried by "skerry rule test"');
  const around = surroundings({ streams: () => streams.items, tables: () => tables.items });
  const at = spec.node === undefined ? {} : { node: spec.node };
  try {
    const made = prepareRule(rule, { around, functions: describeStubs(functions), ...at });
    if (made.tables.length > 0) throw refused('rules with tables are tried at a node');
    return made;
  } catch (error) {
    if (error instanceof RuleProblem) throw refused(`${error.path}: ${error.message}`);
    throw error;
  }
}

/** As it is stored, with other SQL if some is given; or that SQL alone. */
async function ruleOf(client: Pick<Client, 'get'>, { namespace, spec, signal }: Asked): Promise<Rule> {
  const { rule: name, sql } = spec;
  if (name === undefined) {
    if (sql === undefined) throw refused('spec.rule or spec.sql is needed');
    return { apiVersion: STREAMS_API_VERSION, kind: 'Rule', metadata: { namespace, name: 'try' }, spec: { sql } };
  }
  const rule = await client.get<Rule>({ gvr: RULES, namespace, name }, { signal });
  return sql === undefined ? rule : { ...rule, spec: { ...rule.spec, sql } };
}

function runCases(rule: PreparedRule): RuleTestStatus {
  const { tests = [] } = rule.spec;
  return {
    cases: tests.map((test) => {
      const failure = failureOf(rule, test);
      return { name: test.name, passed: failure === undefined, ...(failure === undefined ? {} : { failure }) };
    }),
  };
}

function runRows(rule: PreparedRule, rows: readonly TestRow[]): RuleTestStatus {
  let now = 0;
  const given = rows.map(({ stream, at, row }) => {
    now = millisecondsOf(at, now);
    return { at: now, row, ...(stream === undefined ? {} : { stream }) };
  });
  const { results, late, errors, dropped } = replay(rule, given);
  const [shown, shownLate] = [answerOf(results), answerOf(late)];
  return {
    results: shown,
    late: shownLate,
    errors,
    dropped: Object.fromEntries(dropped),
    isCut: shown.length < results.length || shownLate.length < late.length,
  };
}

function answerOf(rows: readonly unknown[]): readonly unknown[] {
  const shown: unknown[] = [];
  let bytes = 0;
  for (const row of rows.slice(0, MAX_RESULTS)) {
    const made = plain(row);
    bytes += Buffer.byteLength(JSON.stringify(made));
    if (bytes > MAX_RESULT_BYTES) break;
    shown.push(made);
  }
  return shown;
}

function refused(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

const ANY_ROW: Schema = { type: 'object', preserveUnknownFields: true };

const SCHEMA: Schema = {
  type: 'object',
  description: 'Tries a rule on its own cases, or on rows that are given, here and now: no node hears of it.',
  required: ['spec'],
  properties: {
    ...OBJECT,
    spec: {
      type: 'object',
      description: 'What is tried: a Rule, its SQL changed if one is given; or SQL alone.',
      properties: {
        rule: { type: 'string', description: 'Name of a Rule of this namespace.' },
        sql: { type: 'string', maxLength: 65_536, description: 'In the place of that of the rule.' },
        node: { type: 'string', description: 'With the parameters that the rule has there.' },
        rows: {
          type: 'array',
          description: 'What comes in, at most 1000 rows; the cases of the rule without it.',
          items: {
            type: 'object',
            required: ['row'],
            properties: {
              stream: { type: 'string', description: 'May be left out where the rule reads one.' },
              at: { type: 'string', format: 'duration', description: 'When it comes: after so long.' },
              row: ANY_ROW,
            },
          },
        },
      },
    },
    status: {
      type: 'object',
      description: 'What came of it.',
      properties: {
        cases: {
          type: 'array',
          description: 'The cases of the rule.',
          items: {
            type: 'object',
            properties: {
              name: { type: 'string', description: 'Its name.' },
              passed: { type: 'boolean', description: 'Whether the results were as it expects.' },
              failure: { type: 'string', description: 'How they differ.' },
            },
          },
        },
        results: { type: 'array', items: ANY_ROW, description: 'Rows that the rule gives.' },
        late: { type: 'array', items: ANY_ROW, description: 'Rows that came too late.' },
        errors: { type: 'array', items: { type: 'string' }, description: 'Why rows failed.' },
        dropped: {
          type: 'object',
          additionalProperties: { type: 'integer' },
          description: 'Rows that were dropped, by reason.',
        },
        isCut: { type: 'boolean', description: 'There were more results.' },
      },
    },
  },
};

const ROW: ResourceRow = {
  ...SERIES_QUERY_ROW,
  gvr: { ...SERIES_QUERY_ROW.gvr, resource: 'ruletests' },
  gvk: { ...SERIES_QUERY_ROW.gvk, kind: 'RuleTest' },
  listKind: 'RuleTestList',
  singular: 'ruletest',
};
