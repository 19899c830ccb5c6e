/** Table: rows that are looked up by key while others stream by. */
import type { KubeObject } from '@skerry/api';
import {
  choice,
  definition,
  duration,
  flag,
  integer,
  list,
  mapOf,
  object,
  open,
  period,
  text,
} from '@skerry/api/definitions';
import { TABLES } from './group.ts';
import {
  credentials,
  type FieldSchema,
  fields,
  type NodeStatus,
  nodeStatuses,
  type Placed,
  placed,
  SECRETS,
} from './shared.ts';

export interface Table extends KubeObject {
  readonly spec: TableSpec;
  readonly status?: TableStatus;
}

export interface TableSpec extends Placed {
  readonly source: TableSource;
  readonly schema?: readonly FieldSchema[];
  readonly cache?: TableCache;
}

/** One of them. */
export interface TableSource {
  readonly rows?: readonly Readonly<Record<string, unknown>>[];
  readonly file?: { readonly path: string; readonly format?: 'Json' | 'Csv'; readonly delimiter?: string };
  readonly sqlite?: { readonly path: string; readonly table: string };
  readonly postgresql?: { readonly url: string; readonly table: string; readonly secretName?: string };
  readonly http?: {
    /** `{field}` stands for the value that is looked up. */
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly timeout?: string;
    readonly secretName?: string;
  };
}

export interface TableCache {
  readonly ttl?: string;
  readonly maxRows?: number;
  /** What is not there is remembered too. */
  readonly misses?: boolean;
}

export interface TableStatus {
  readonly nodes?: readonly string[];
  readonly state?: string;
  readonly onNodes?: Readonly<Record<string, TableNodeStatus>>;
}

export interface TableNodeStatus extends NodeStatus {
  readonly lookups?: number;
  readonly cacheHits?: number;
  readonly failures?: number;
}

const path = text('Relative to the folder of streams’ files.', { minLength: 1, pattern: '^[^/].*$' });
const tableName = text('Name of the table or view.', { minLength: 1, maxLength: 253 });

export const tableDefinition: KubeObject = definition({
  kind: 'Table',
  gvr: TABLES,
  description: 'Rows that rules look up by key.',
  spec: object(
    'The table.',
    {
      ...placed,
      source: object('Where rows are: one of these.', {
        rows: list('Here.', open('A row.'), 10_000),
        file: object(
          'In a file of the node, read anew when it changes.',
          {
            path,
            format: choice('What it holds: CSV with a header, or a line of JSON a row.', ['Json', 'Csv'], 'Csv'),
            delimiter: text('Between the fields of CSV.', { minLength: 1, maxLength: 1, default: ',' }),
          },
          ['path'],
        ),
        sqlite: object('In an SQLite file of the node.', { path, table: tableName }, ['path', 'table']),
        postgresql: object(
          'In PostgreSQL.',
          {
            url: text('postgresql://HOST:PORT/DATABASE.', { pattern: '^postgresql://' }),
            table: tableName,
            ...credentials,
          },
          ['url', 'table'],
        ),
        http: object(
          'Behind a URL.',
          {
            url: text('`{field}` stands for the value of that field that is looked up.', {
              pattern: '^https?://',
              maxLength: 2048,
            }),
            headers: mapOf('Are sent with every request.', text('A header.', { maxLength: 4096 }), 32),
            timeout: duration('An answer is waited for so long.', { default: '5s' }),
            ...credentials,
          },
          ['url'],
        ),
      }),
      schema: fields('Fields of rows.'),
      cache: object('What was looked up is remembered.', {
        ttl: period('So long.', { default: '1m' }),
        maxRows: integer('So much.', { minimum: 1, maximum: 10_000_000, default: 10_000 }),
        misses: flag('Also that something was not there.', { default: true }),
      }),
    },
    ['source'],
  ),
  status: nodeStatuses('How it serves.', {
    lookups: integer('Lookups since the worker started.'),
    cacheHits: integer('Of these, answered by the cache.'),
    failures: integer('Of these, without an answer.'),
  }),
  columns: [{ name: 'State', path: '.status.state' }],
  relations: [{ to: SECRETS, namePaths: ['spec.source.postgresql.secretName', 'spec.source.http.secretName'] }],
});
