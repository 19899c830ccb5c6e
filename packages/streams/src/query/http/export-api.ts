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
      const counted = counting(body, (change) => {
        running += change;
      });
      return { status: 200, headers: { 'content-type': type }, body: counted };
    } catch (error) {
      if (error instanceof PromQlError) return jsonAnswer(400, { error: error.message });
      throw error;
    }
  };
}

/** Runs from its first piece on: whoever never takes one runs nothing. */
async function* counting(pieces: AsyncIterable<Uint8Array>, count: (change: number) => void) {
  count(1);
  try {
    yield* pieces;
  } finally {
    count(-1);
  }
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
