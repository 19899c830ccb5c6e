/** Series, the kind of `telemetry.skerry.io` that shows which time series there are, each with its last row. Made when somebody asks. */
import { createHash } from 'node:crypto';
import { formatApiVersion, type KubeObject, type ResourceRow, type Schema } from '@skerry/api';
import { type AnsweredSeries, LABELS, OBJECT, SERIES_QUERY_ROW } from './series-query.ts';

export const SERIES = { ...SERIES_QUERY_ROW.gvr, resource: 'series' } as const;

export interface Series extends KubeObject {
  readonly series: Readonly<Record<string, string>>;
  readonly type: string;
  readonly time: string;
  readonly value: unknown;
  readonly quality: number;
}

/** Undefined for what has no row or is of no namespace. */
export function seriesObject({ labels, type, times, values, qualities }: AnsweredSeries): Series | undefined {
  const { namespace } = labels;
  const [time, value, quality = 0] = [times[0], values[0], qualities?.[0]];
  if (namespace === undefined || time === undefined) return undefined;
  const { gvk } = SERIES_ROW;
  return {
    apiVersion: formatApiVersion(gvk),
    kind: gvk.kind,
    metadata: { namespace, name: nameOf(labels), labels: selectable(labels) },
    series: labels,
    type: type ?? '',
    time: new Date(time).toISOString(),
    value,
    quality,
  };
}

const MAX_WORDS = 200;
const DIGITS = 10;

/** For people by what it is of, and its own by a hash of all labels. */
function nameOf(labels: AnsweredSeries['labels']): string {
  const sorted = Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1));
  const hash = createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, DIGITS);
  const { device, property = labels['__name__'] } = labels;
  const words = [device, property].flatMap((word) => (word === undefined ? [] : [word.toLowerCase()])).join('-');
  const clean = words.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '');
  return clean === '' ? hash : `${clean.slice(0, MAX_WORDS)}-${hash}`;
}

const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Those that Kubernetes takes as labels, so that selectors find them. */
function selectable(labels: AnsweredSeries['labels']): Record<string, string> {
  const fit = (text: string) => LABEL_VALUE.test(text);
  return Object.fromEntries(Object.entries(labels).filter(([name, value]) => name !== '' && fit(name) && fit(value)));
}

export const SERIES_SCHEMA: Schema = {
  type: 'object',
  description: 'A time series, with the last of its rows.',
  properties: {
    ...OBJECT,
    series: LABELS,
    type: { type: 'string', description: 'Of its values.' },
    time: { type: 'string', format: 'date-time', description: 'Of the last row.' },
    value: { preserveUnknownFields: true, description: 'In the last row.' },
    quality: { type: 'integer', description: 'Of the last row: good from 192 on, bad below 64.' },
  },
};

export const SERIES_ROW: ResourceRow = {
  ...SERIES_QUERY_ROW,
  gvr: SERIES,
  gvk: { ...SERIES_QUERY_ROW.gvk, kind: 'Series' },
  listKind: 'SeriesList',
  singular: 'series',
  verbs: ['get', 'list'],
  printerColumns: [
    { name: 'Device', type: 'string', jsonPath: '.series.device' },
    { name: 'Property', type: 'string', jsonPath: '.series.property' },
    { name: 'Node', type: 'string', jsonPath: '.series.node' },
    { name: 'Value', type: 'string', jsonPath: '.value' },
    { name: 'Time', type: 'date', jsonPath: '.time' },
  ],
};
