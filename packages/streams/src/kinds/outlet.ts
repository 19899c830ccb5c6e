/** Outlet: series on their way to an engine of somebody else. */
import type { KubeObject } from '@skerry/api';
import { choice, definition, duration, integer, mapOf, object, open, period, text } from '@skerry/api/definitions';
import { OUTLETS } from './group.ts';
import {
  credentials,
  type NodeStatus,
  nodeStatuses,
  type Placed,
  perSecond,
  placed,
  SECRETS,
  type SeriesMatcher,
  seriesMatchers,
} from './shared.ts';

export interface Outlet extends KubeObject {
  readonly spec: OutletSpec;
  readonly status?: OutletStatus;
}

export const OUTLET_TYPES = [
  'PrometheusRemoteWrite',
  'InfluxLine',
  'PostgreSql',
  'Graphite',
  'Nats',
  'Mqtt',
  'Http',
  'Parquet',
] as const;

export interface OutletSpec extends Placed {
  readonly type: (typeof OUTLET_TYPES)[number];
  readonly endpoint: string;
  readonly secretName?: string;
  /** All series without it. */
  readonly series?: readonly SeriesMatcher[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly batch?: { readonly maxRows?: number; readonly maxDelay?: string };
  readonly queue?: { readonly maxBytes?: number; readonly maxAge?: string };
  /** Of type Parquet: one file of recorded series at set times, instead of files of what comes. */
  readonly export?: OutletExport;
}

export interface OutletExport {
  /** As a CronJob has it. */
  readonly schedule: string;
  /** UTC without it. */
  readonly timeZone?: string;
  /** So much time before its moment is in a file. */
  readonly range?: string;
  /** It is made so long after its moment. */
  readonly delay?: string;
  readonly keep?: string;
  readonly maxFiles?: number;
}

export interface OutletStatus {
  readonly nodes?: readonly string[];
  readonly state?: string;
  readonly onNodes?: Readonly<Record<string, OutletNodeStatus>>;
}

export interface OutletNodeStatus extends NodeStatus {
  readonly sentRows?: number;
  readonly sentRowsPerSecond?: number;
  readonly queuedRows?: number;
  readonly queuedBytes?: number;
  readonly dropped?: Readonly<Record<string, number>>;
  readonly lastExport?: LastExport;
  readonly nextExport?: string;
}

export interface LastExport {
  /** The moment of its schedule. */
  readonly time: string;
  readonly file: string;
  /** Absent in an export of before this process began. */
  readonly rows?: number;
  readonly bytes?: number;
}

export const outletDefinition: KubeObject = definition({
  kind: 'Outlet',
  gvr: OUTLETS,
  description: 'Series that are handed on to an engine of somebody else.',
  spec: object(
    'The outlet.',
    {
      ...placed,
      type: choice('What the engine understands.', OUTLET_TYPES),
      endpoint: text('Where it is: a URL, or HOST:PORT.', { minLength: 1, maxLength: 2048 }),
      ...credentials,
      series: seriesMatchers('Series that one of these matches; all without it.'),
      options: open('What only one type knows.'),
      headers: mapOf('Are sent with every request.', text('A header.', { maxLength: 4096 }), 32),
      batch: object('What goes at once.', {
        maxRows: integer('So many rows.', { minimum: 1, maximum: 100_000, default: 5000 }),
        maxDelay: duration('A row waits so long for others.', { default: '1s' }),
      }),
      queue: object('What waits while the engine is away.', {
        maxBytes: integer('So much; beyond it the oldest is dropped.', { minimum: 1_048_576, default: 1_073_741_824 }),
        maxAge: period('So long.', { default: '7d' }),
      }),
      export: object(
        'Of type Parquet: one file of recorded series at set times, instead of files of what comes.',
        {
          schedule: text('When, as a CronJob has it: `0 2 * * *`, `@daily`, `@every 6h`.', {
            minLength: 1,
            maxLength: 256,
          }),
          timeZone: text('The zone of the schedule; UTC without it.', { maxLength: 64 }),
          range: period('So much time before the moment of the schedule is in a file.', { default: '1d' }),
          delay: period('A file is made so long after its moment: what was on the road then has come.', {
            default: '5m',
          }),
          keep: period('A file is kept so long; without end without it. The newest stays.'),
          maxFiles: integer('So many files are kept; beyond it the oldest goes.', {
            minimum: 1,
            maximum: 100_000,
            default: 1000,
          }),
        },
        ['schedule'],
      ),
    },
    ['type', 'endpoint'],
  ),
  status: nodeStatuses('How it does.', {
    sentRows: integer('Rows that the engine took.'),
    sentRowsPerSecond: perSecond('Rows'),
    queuedRows: integer('Rows that wait.'),
    queuedBytes: integer('Their bytes on disk.'),
    dropped: mapOf('Rows that were dropped, by reason.', integer('How many.'), 16),
    lastExport: object('The last file that was exported.', {
      time: text('The moment of the schedule.'),
      file: text('Its name, in the directory.'),
      rows: integer('Rows in it.'),
      bytes: integer('Its size.'),
    }),
    nextExport: text('When the next one is due.'),
  }),
  columns: [
    { name: 'Type', path: '.spec.type' },
    { name: 'State', path: '.status.state' },
  ],
  relations: [{ to: SECRETS, namePaths: ['spec.secretName'] }],
});
