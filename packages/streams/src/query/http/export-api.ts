/** Series as a file: `GET /telemetry/export?match[]=…&start=…&end=…&format=parquet|csv`. */
import type { Clock } from '@skerry/base';
import type { SeriesStore } from '../../store/index.ts';
import { csvStream } from '../export/csv-stream.ts';
import { parquetStream } from '../export/parquet-stream.ts';
import { labelsOf, rowsOf, type Wanted } from '../export/selected-rows.ts';
import { PromQlError } from '../promql/ast.ts';
import { selectionOf } from '../promql/select.ts';
import { jsonAnswer, type QueryAnswer, type QueryRequest } from './answer.ts';
import { matchersOf, timeOf } from './parameters.ts';

const HOUR_MS = 3_600_000;
/** At once; others are told to come again. */
const MAX_RUNNING = 2;
const MAX_MATCHES = 64;

type ExportedStore = Pick<SeriesStore, 'scan' | 'seriesOf' | 'labelNames' | 'labelValues'>;

const FORMATS = {
  parquet: { type: 'application/vnd.apache.parquet', encode: parquetStream },
  csv: { type: 'text/csv; charset=utf-8', encode: csvStream },
} as const;

export function exportEndpoint(store: ExportedStore, clock: Clock): (request: QueryRequest) => QueryAnswer {
  let running = 0;
  return ({ method, query, signal }) => {
    if (method !== 'GET') return jsonAnswer(405, { error: 'GET an export' });
    if (running >= MAX_RUNNING) return jsonAnswer(429, { error: `${MAX_RUNNING} exports run already: ask again` });
    try {
      const { type, encode } = formatOf(query);
      const wanted = { ...wantedOf(store, query, clock.now()), signal };
      const body = encode(rowsOf(store, wanted), labelsOf(store, wanted));
      running += 1;
      const released = releasing(body, signal, () => {
        running -= 1;
      });
      return { status: 200, headers: { 'content-type': type }, body: released };
    } catch (error) {
      if (error instanceof PromQlError) return jsonAnswer(400, { error: error.message });
      throw error;
    }
  };
}

/** Tells once that it is over: at its end, or when it is given up, also by whoever never took a piece. */
function releasing(
  pieces: AsyncGenerator<Uint8Array>,
  signal: AbortSignal,
  onOver: () => void,
): AsyncIterableIterator<Uint8Array> {
  let isOver = false;
  const over = (): void => {
    if (!isOver) onOver();
    isOver = true;
    signal.removeEventListener('abort', over);
  };
  signal.addEventListener('abort', over);
  if (signal.aborted) over();
  const told = async (step: Promise<IteratorResult<Uint8Array>>): Promise<IteratorResult<Uint8Array>> => {
    try {
      const result = await step;
      if (result.done === true) over();
      return result;
    } catch (error) {
      over();
      throw error;
    }
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => told(pieces.next()),
    return: () => told(pieces.return(undefined)),
  };
}

function formatOf(query: URLSearchParams): (typeof FORMATS)[keyof typeof FORMATS] {
  const format = query.get('format') ?? 'parquet';
  if (format !== 'parquet' && format !== 'csv') throw new PromQlError('format is parquet or csv');
  return FORMATS[format];
}

function wantedOf(store: ExportedStore, query: URLSearchParams, now: number): Omit<Wanted, 'signal'> {
  const matches = query.getAll('match[]');
  if (matches.length === 0) throw new PromQlError('match[] is needed');
  if (matches.length > MAX_MATCHES) throw new PromQlError(`at most ${MAX_MATCHES} match[] are allowed`);
  const end = timeOf(query, 'end') ?? now;
  const from = timeOf(query, 'start') ?? end - HOUR_MS;
  if (end < from) throw new PromQlError('the end is before the start');
  return { selections: matches.map((match) => selectionOf(store, matchersOf(match))), from, to: end + 1 };
}
