/** SeriesQuery, the kind of `telemetry.skerry.io` that asks for time series: created, answered with them, stored nowhere. */
import type { KubeObject, ResourceRow, Schema } from '@skerry/api';
import type { Aggregate } from '../store/contract.ts';

const TELEMETRY_GROUP = 'telemetry.skerry.io';
const TELEMETRY_VERSION = 'v1alpha1';
export const SERIES_QUERIES = {
  group: TELEMETRY_GROUP,
  version: TELEMETRY_VERSION,
  resource: 'seriesqueries',
} as const;

export interface SeriesQuery extends KubeObject {
  readonly spec: SeriesQuerySpec;
  readonly status?: SeriesQueryStatus;
}

export interface SeriesQuerySpec {
  /** Whose series are asked; without it, those of whoever answers. */
  readonly node?: string;
  /** One of both: which series as they are, or what is made of them. */
  readonly selector?: string;
  readonly promql?: string;
  /** RFC 3339. */
  readonly start?: string;
  readonly end?: string;
  /** A duration. */
  readonly step?: string;
  readonly aggregate?: Aggregate;
  readonly last?: boolean;
}

export interface SeriesQueryStatus {
  readonly node?: string;
  readonly series: readonly AnsweredSeries[];
}

/** Columns of the same length. */
export interface AnsweredSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Absent in what was made by PromQL; so are the qualities. */
  readonly type?: string;
  /** Milliseconds since 1970, with fractions. */
  readonly times: readonly number[];
  /** JSON of the values; a number that JSON does not have as its name: `NaN`, `Infinity`, `-Infinity`. */
  readonly values: readonly unknown[];
  /** See `Quality`. */
  readonly qualities?: readonly number[];
}

/** What is asked of a shore: of one namespace, or of all. */
export interface AskedSeries {
  readonly namespace?: string;
  readonly spec: SeriesQuerySpec;
  readonly signal: AbortSignal;
}

/** Rejects with a StatusError. */
export type AnswerSeries = (asked: AskedSeries) => Promise<SeriesQueryStatus>;

const AGGREGATES: readonly Aggregate[] = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last', 'increase', 'rate'];

/** The parts that every kind of the group has. */
export const OBJECT: Readonly<Record<string, Schema>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { type: 'object', preserveUnknownFields: true },
};

export const LABELS: Schema = {
  type: 'object',
  additionalProperties: { type: 'string' },
  description: 'What names the series.',
};

const ANSWERED: Schema = {
  type: 'object',
  properties: {
    labels: LABELS,
    type: { type: 'string', description: 'Of its values; absent in what PromQL gives.' },
    times: { type: 'array', items: { type: 'number' }, description: 'Milliseconds since 1970.' },
    values: { type: 'array', items: { preserveUnknownFields: true }, description: 'A value for each time.' },
    qualities: {
      type: 'array',
      items: { type: 'integer' },
      description: 'For each time: good from 192 on, bad below 64; absent in what PromQL gives.',
    },
  },
};

export const SERIES_QUERY_SCHEMA: Schema = {
  type: 'object',
  description:
    'Asks for time series of its namespace. Whoever creates one is answered with them; without a node, they are those of the cloud.',
  properties: {
    ...OBJECT,
    spec: {
      type: 'object',
      description: 'What is asked: a selector, or PromQL.',
      properties: {
        node: { type: 'string', description: 'The node that is asked, for what it has recorded itself.' },
        selector: { type: 'string', description: 'Series as PromQL selects them; all of the namespace without it.' },
        promql: { type: 'string', description: 'An expression: at the end, or with a step from start to end.' },
        start: { type: 'string', description: 'RFC 3339; an hour before the end without it.' },
        end: { type: 'string', description: 'RFC 3339; now without it. The end itself belongs to the range.' },
        step: { type: 'string', description: 'A duration: one value for each, instead of the rows as they came.' },
        aggregate: { type: 'string', enum: AGGREGATES, description: 'Of the rows in a step; avg without it.' },
        last: { type: 'boolean', description: 'Only the last row of each series, whenever it was.' },
      },
    },
    status: {
      type: 'object',
      description: 'The answer.',
      properties: {
        node: { type: 'string', description: 'The node that answered.' },
        series: { type: 'array', items: ANSWERED, description: 'What was found.' },
      },
    },
  },
};

export const SERIES_QUERY_ROW: ResourceRow = {
  gvr: SERIES_QUERIES,
  gvk: { group: TELEMETRY_GROUP, version: TELEMETRY_VERSION, kind: 'SeriesQuery' },
  listKind: 'SeriesQueryList',
  singular: 'seriesquery',
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: ['create'],
  subresources: [],
  selectableFields: [],
  tracksGeneration: false,
  origin: 'cloud',
  edgeWritable: [],
  relations: [],
  printerColumns: [],
};
