/** Results as points of the node’s time series. */
import { hasCode } from '@skerry/base';
import { BatchBuilder, Quality } from '../../contract/index.ts';
import type { Row } from '../../sql/index.ts';
import { appendWhenReady } from '../../store/append-when-ready.ts';
import type { SeriesStore, StoredType } from '../../store/index.ts';
import { valuesOf } from './bus.ts';
import { fillIn } from './format-row.ts';
import { queuedSink, RowsRefused } from './queue.ts';
import type { Sink, SinkContext } from './sink.ts';

/** So many rows share the write that makes them lasting. */
const MAX_TOGETHER = 1000;

/** What the store says of a row that it will never take: of its labels, and of one series more than it may have. */
const REFUSALS = ['SERIES_LABELS', 'SERIES_LIMIT'] as const;

export function storeSink(context: SinkContext): Sink {
  const { store } = context;
  return queuedSink(context, {
    maxTogether: MAX_TOGETHER,
    send: async (rows, _signal, times) => {
      const opened = await store();
      const builder = new BatchBuilder();
      let refused = 0;
      let why: unknown;
      for (const [at, row] of rows.entries()) {
        try {
          await addRow(context, opened, builder, row, times[at] ?? 0);
        } catch (error) {
          if (!REFUSALS.some((code) => hasCode(error, code))) throw error;
          refused++;
          why = error;
        }
      }
      await append(opened, builder);
      await opened.sync();
      if (refused > 0) throw new RowsRefused(refused, why);
    },
  });
}

async function addRow(
  { sink, rule, namespace }: SinkContext,
  store: SeriesStore,
  builder: BatchBuilder,
  row: Row,
  time: number,
): Promise<void> {
  const { labels = {}, ...settings } = sink.store ?? {};
  const more = Object.entries(labels).map(([name, value]) => [name, fillIn(value, row)] as const);
  const points = valuesOf(sink, settings, rule, row, time).map(({ object, property, type, value, time: at }) => {
    const named = { ...Object.fromEntries(more), namespace, device: object, property };
    return { series: store.series(named, type as StoredType), at, value };
  });
  for (const { series, at, value } of points) {
    builder.add(series, at, value, Quality.good);
    if (builder.isFull) await append(store, builder);
  }
}

async function append(store: SeriesStore, builder: BatchBuilder): Promise<void> {
  const batch = builder.take();
  if (batch !== undefined) await appendWhenReady(store, batch);
}
