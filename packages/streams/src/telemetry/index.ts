/** Time series through the API: `telemetry.skerry.io`. What answers is loaded with the first question. */
import type { KubeObject } from '@skerry/api';
import { askNode, type NodePostDialer } from './ask-node.ts';
import { checked } from './checked.ts';
import { SERIES_ROW, SERIES_SCHEMA, seriesObject } from './series.ts';
import { type AnswerSeries, SERIES_QUERY_ROW, SERIES_QUERY_SCHEMA, type SeriesQuery } from './series-query.ts';

export { askNode } from './ask-node.ts';
export { SERIES, type Series } from './series.ts';
export {
  type AnsweredSeries,
  type AnswerSeries,
  SERIES_QUERIES,
  type SeriesQuery,
  type SeriesQuerySpec,
} from './series-query.ts';

export interface SeriesKindsOptions {
  /** Answers what names no node. */
  readonly here: AnswerSeries;
  readonly dialer: NodePostDialer;
}

/** What is asked, as a virtual kind of the API server is asked. */
interface Read {
  readonly namespace?: string;
  readonly name?: string;
  readonly matches: (object: KubeObject) => boolean;
  readonly signal: AbortSignal;
}

interface Create {
  readonly object: KubeObject;
  readonly signal: AbortSignal;
}

/** Virtual kinds for the API server's table. */
export function seriesKinds({ here, dialer }: SeriesKindsOptions) {
  return [
    {
      row: SERIES_ROW,
      schema: SERIES_SCHEMA,
      read: async ({ namespace, name, matches, signal }: Read): Promise<readonly KubeObject[]> => {
        const place = namespace === undefined ? {} : { namespace };
        const { series } = await here({ ...place, spec: { last: true }, signal });
        const objects = series.flatMap((each) => seriesObject(each) ?? []);
        return objects.filter((each) => (name === undefined || each.metadata.name === name) && matches(each));
      },
    },
    {
      row: SERIES_QUERY_ROW,
      schema: SERIES_QUERY_SCHEMA,
      read: async (): Promise<readonly KubeObject[]> => [],
      create: async ({ object, signal }: Create): Promise<KubeObject> => {
        const { metadata, spec = {} } = checked<Partial<SeriesQuery> & KubeObject>(object, SERIES_QUERY_SCHEMA);
        const { namespace = '' } = metadata;
        const answer = spec.node === undefined ? here : askNode(dialer, spec.node);
        return { ...object, status: await answer({ namespace, spec, signal }) };
      },
    },
  ];
}
