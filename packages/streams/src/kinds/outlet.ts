/** Outlet: series on their way to an engine of somebody else. */
import type { KubeObject } from '@skerry/api';
import {
  choice,
  definition,
  duration,
  integer,
  mapOf,
  object,
  open,
  period,
  placement,
  text,
} from '@skerry/api/definitions';
import { OUTLETS } from './group.ts';
import {
  credentials,
  type NodeStatus,
  nodeStatuses,
  type Placement,
  perSecond,
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

export interface OutletSpec {
  /** Nodes that send by themselves; without it the cloud does, from its store. */
  readonly placement?: Placement;
  readonly type: (typeof OUTLET_TYPES)[number];
  readonly endpoint: string;
  readonly secretName?: string;
  /** All series without it. */
  readonly series?: readonly SeriesMatcher[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly batch?: { readonly maxRows?: number; readonly maxDelay?: string };
  readonly queue?: { readonly maxBytes?: number; readonly maxAge?: string };
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
}

export const outletDefinition: KubeObject = definition({
  kind: 'Outlet',
  gvr: OUTLETS,
  description: 'Series that are handed on to an engine of somebody else.',
  spec: object(
    'The outlet.',
    {
      placement,
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
    },
    ['type', 'endpoint'],
  ),
  status: nodeStatuses('How it does.', {
    sentRows: integer('Rows that the engine took.'),
    sentRowsPerSecond: perSecond('Rows'),
    queuedRows: integer('Rows that wait.'),
    queuedBytes: integer('Their bytes on disk.'),
    dropped: mapOf('Rows that were dropped, by reason.', integer('How many.'), 16),
  }),
  columns: [
    { name: 'Type', path: '.spec.type' },
    { name: 'State', path: '.status.state' },
  ],
  relations: [{ to: SECRETS, namePaths: ['spec.secretName'] }],
});
