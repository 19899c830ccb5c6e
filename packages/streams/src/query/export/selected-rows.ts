/** Series that selections mean, on their way into a file: each once, however many of them mean it. */
import type { OutletRows } from '../../outlets/target.ts';
import type { SeriesStore } from '../../store/index.ts';
import { PromQlError } from '../promql/ast.ts';
import type { Selection } from '../promql/select.ts';

export type ExportedStore = Pick<SeriesStore, 'scan' | 'seriesOf'>;

export interface Wanted {
  readonly selections: readonly Selection[];
  /** Milliseconds since 1970; `from` belongs to the range, `to` does not. */
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal;
}

const MAX_LABELS = 64;
/** Of one query: so many the store reads in one go. */
const MAX_SERIES = 20_000;

/** The names that have a column. Throws a PromQlError where too much is meant. */
export function labelsOf(store: ExportedStore, { selections }: Pick<Wanted, 'selections'>): readonly string[] {
  const names = new Set<string>();
  for (const { queries, accepts } of selections)
    for (const series of queries.map((query) => store.seriesOf(query))) {
      if (series.length > MAX_SERIES)
        throw new PromQlError(`more than ${MAX_SERIES} series of a name are meant: choose fewer`);
      for (const { labels } of series) if (accepts(labels)) for (const name of Object.keys(labels)) names.add(name);
    }
  if (names.size > MAX_LABELS)
    throw new PromQlError(`the series have more than ${MAX_LABELS} labels: choose fewer series`);
  return [...names].toSorted((one, other) => (one < other ? -1 : 1));
}

export async function* rowsOf(
  store: ExportedStore,
  { selections, from, to, signal }: Wanted,
): AsyncGenerator<OutletRows> {
  for (const [index, { queries, accepts }] of selections.entries()) {
    const earlier = selections.slice(0, index);
    for (const matchers of queries)
      for await (const { series, rows } of store.scan({ matchers, from, to, signal })) {
        const { labels, type } = series;
        if (accepts(labels) && !earlier.some((other) => other.accepts(labels))) yield { labels, type, rows };
      }
  }
}
