/** Results as points of the node’s time series. */
import { BatchBuilder, Quality } from '../../contract/index.ts';
import type { Row } from '../../sql/index.ts';
import { appendWhenReady } from '../../store/append-when-ready.ts';
import type { SeriesStore, StoredType } from '../../store/index.ts';
import { valuesOf } from './bus.ts';
import { fillIn } from './format-row.ts';
import { queuedSink } from './queue.ts';
import type { Sink, SinkContext } from './sink.ts';

export function storeSink(context: SinkContext): Sink {
  const { store } = context;
  return queuedSink(context, {
    send: async (rows, time) => {
      const opened = await store();
      const builder = new BatchBuilder();
      for (const row of rows) await addRow(context, opened, builder, row, time);
      await append(opened, builder);
      await opened.sync();
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
  for (const { object, property, type, value, time: at } of valuesOf(sink, settings, rule, row, time)) {
    const named = { ...Object.fromEntries(more), namespace, device: object, property };
    builder.add(store.series(named, type as StoredType), at, value, Quality.good);
    if (builder.isFull) await append(store, builder);
  }
}

async function append(store: SeriesStore, builder: BatchBuilder): Promise<void> {
  const batch = builder.take();
  if (batch !== undefined) await appendWhenReady(store, batch);
}
