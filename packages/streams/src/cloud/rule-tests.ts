/** RuleTest, the kind of `telemetry.skerry.io` that tries a rule: created, answered with what the rule gives, stored nowhere. */
import { type KubeObject, type ResourceRow, type Schema, StatusError } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { RULES, STREAMS, STREAMS_API_VERSION, TABLES } from '../kinds/group.ts';
import type { Rule, TestRow, TestTable } from '../kinds/rule.ts';
import type { Stream } from '../kinds/stream.ts';
import type { Table } from '../kinds/table.ts';
import { checked } from '../telemetry/checked.ts';
import { OBJECT, SERIES_QUERY_ROW } from '../telemetry/series-query.ts';
import type { Trial, TrialStatus } from '../trial/trial.ts';
import type { Trials } from '../trial/trials.ts';
import { refusalOf } from './rehearsal.ts';

export interface RuleTestRun extends KubeObject {
  readonly spec: RuleTestSpec;
  readonly status?: TrialStatus;
}

interface RuleTestSpec {
  readonly rule?: string;
  readonly sql?: string;
  readonly node?: string;
  readonly rows?: readonly TestRow[];
  readonly tables?: readonly TestTable[];
}

/** As many rows make an answer of some seconds at most; more are for "skerry rule test", which runs where it is called. */
const MAX_ROWS = 10_000;

interface Create {
  readonly object: KubeObject;
  readonly signal: AbortSignal;
}

/** A virtual kind for the API server's table. `client` shows rules, streams and tables. */
export function ruleTestsKind(client: Pick<Client, 'get' | 'list'>, trials: Pick<Trials, 'run'>) {
  return {
    row: ROW,
    schema: SCHEMA,
    read: async (): Promise<readonly KubeObject[]> => [],
    create: async ({ object, signal }: Create): Promise<KubeObject> => {
      const { metadata, spec } = checked<RuleTestRun>(object, SCHEMA);
      if ((spec.rows?.length ?? 0) > MAX_ROWS)
        throw refused(`more than ${MAX_ROWS} rows are tried by "skerry rule test"`);
      const trial = await trialOf(client, { namespace: metadata.namespace ?? '', spec, signal });
      return { ...object, status: await tried(trials, trial, signal) };
    },
  };
}

async function tried(trials: Pick<Trials, 'run'>, trial: Trial, signal: AbortSignal): Promise<TrialStatus> {
  const outcome = await trials.run(trial, signal).catch((error: unknown) => {
    throw refusalOf(error);
  });
  if ('status' in outcome) return outcome.status;
  throw refused(`${outcome.problem.path}: ${outcome.problem.message}`);
}

interface Asked {
  readonly namespace: string;
  readonly spec: RuleTestSpec;
  readonly signal: AbortSignal;
}

async function trialOf(client: Pick<Client, 'get' | 'list'>, asked: Asked): Promise<Trial> {
  const { namespace, spec, signal } = asked;
  const [rule, streams, tables] = await Promise.all([
    ruleOf(client, asked),
    client.list<Stream>(STREAMS, { namespace, signal }),
    client.list<Table>(TABLES, { namespace, signal }),
  ]);
  const { rows, node, tables: given } = spec;
  return {
    rule,
    streams: streams.items,
    tables: tables.items,
    ...(node === undefined ? {} : { node }),
    ...(rows === undefined ? {} : { given: { rows, ...(given === undefined ? {} : { tables: given }) } }),
  };
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
          description: 'What comes in, at most 10000 rows; the cases of the rule without it.',
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
        tables: {
          type: 'array',
          description: 'What tables hold meanwhile, beside `rows`; a table whose rows are elsewhere must be here.',
          items: {
            type: 'object',
            required: ['name', 'rows'],
            properties: {
              name: { type: 'string', description: 'The table.' },
              rows: { type: 'array', items: ANY_ROW, description: 'Its rows.' },
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
        operators: {
          type: 'array',
          items: ANY_ROW,
          description:
            'The plan: what each operator does, keeps, is estimated to cost, and how many rows went through it.',
        },
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
