/** Series that others write: Prometheus and its agents by remote write, Telegraf and its like by the line protocol. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Clock, messageOf } from '@skerry/base';
import { BatchBuilder, Quality } from '../../contract/index.ts';
import type { Appended, SeriesStore } from '../../store/index.ts';
import { type LinePoint, MAX_LINES, PRECISIONS, type Precision, parseLines } from '../intake/line-protocol.ts';
import { readWriteRequest, type WrittenSeries } from '../intake/remote-write.ts';
import { jsonAnswer, type QueryAnswer, type QueryRequest } from './answer.ts';

const MAX_UNCOMPRESSED_BYTES = 32 * 1024 * 1024;
const unpack = promisify(gunzip);

export type WritableStore = Pick<SeriesStore, 'series' | 'append' | 'sync'>;

/** Answered once the samples are on disk. */
export async function answerRemoteWrite(request: QueryRequest, store: WritableStore): Promise<QueryAnswer> {
  let series: readonly WrittenSeries[];
  try {
    series = readWriteRequest(request.body ?? new Uint8Array());
  } catch (error) {
    return jsonAnswer(400, { error: messageOf(error) });
  }
  const writer = new Writer(store);
  for (const { labels, times, values } of series) {
    const id = store.series(labels, 'float64');
    for (const [index, time] of times.entries()) writer.add(id, time, values[index] ?? Number.NaN);
  }
  return settled(await writer.end(), []);
}

/** Query parameters as InfluxDB has them; `db`, `bucket` and `org` are taken and mean nothing here. */
export async function answerLines(request: QueryRequest, store: WritableStore, clock: Clock): Promise<QueryAnswer> {
  const precision = request.query.get('precision') ?? 'ns';
  if (!Object.hasOwn(PRECISIONS, precision))
    return jsonAnswer(400, { error: `precision is one of ${Object.keys(PRECISIONS).join(', ')}` });
  let text: string;
  try {
    text = await textOf(request);
  } catch (error) {
    return jsonAnswer(400, { error: messageOf(error) });
  }
  const { points, refused } = parseLines(text, { precision: precision as Precision, now: clock.now() });
  if (points.length > MAX_LINES) return jsonAnswer(413, { error: `at most ${MAX_LINES} values in a request` });
  const writer = new Writer(store);
  for (const { labels, type, time, value } of points satisfies readonly LinePoint[])
    writer.add(store.series(labels, type), time, value);
  return settled(
    await writer.end(),
    refused.map(({ line, reason }) => `line ${line}: ${reason}`),
  );
}

async function textOf({ headers, body = new Uint8Array() }: QueryRequest): Promise<string> {
  const bytes =
    headers['content-encoding'] === 'gzip' ? await unpack(body, { maxOutputLength: MAX_UNCOMPRESSED_BYTES }) : body;
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

class Writer {
  readonly #store: WritableStore;
  readonly #builder = new BatchBuilder();
  readonly #sum = { taken: 0, tooOld: 0, tooNew: 0, refused: 0 };

  constructor(store: WritableStore) {
    this.#store = store;
  }

  add(series: number, time: number, value: number | bigint | string): void {
    if (this.#builder.add(series, time, value, Quality.good)) return;
    this.#flush();
    this.#builder.add(series, time, value, Quality.good);
  }

  async end(): Promise<Appended> {
    this.#flush();
    await this.#store.sync();
    return this.#sum;
  }

  #flush(): void {
    const batch = this.#builder.take();
    if (batch === undefined) return;
    const { taken, tooOld, tooNew, refused } = this.#store.append(batch);
    this.#sum.taken += taken;
    this.#sum.tooOld += tooOld;
    this.#sum.tooNew += tooNew;
    this.#sum.refused += refused;
  }
}

/** 400 tells writers that the rest will never be taken: they need not bring it again. */
function settled({ tooOld, tooNew, refused }: Appended, unread: readonly string[]): QueryAnswer {
  const problems = [
    ...unread,
    ...(tooOld === 0 ? [] : [`${tooOld} values are older than what is kept`]),
    ...(tooNew === 0 ? [] : [`${tooNew} values are too far in the future`]),
    ...(refused === 0 ? [] : [`${refused} values cannot be stored`]),
  ];
  if (problems.length === 0) return { status: 204, headers: {} };
  return jsonAnswer(400, { error: `the rest is stored; ${problems.join('; ')}` });
}
