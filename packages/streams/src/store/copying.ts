/** A copy of a whole store while it goes on: partition by partition, a little at a time. */
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Logger } from '@skerry/base';
import type { SeriesId } from '../contract/index.ts';
import { type CatalogContents, CatalogFile } from './catalog-file.ts';
import type { StoredSeries } from './contract.ts';
import { isDamaged } from './database.ts';
import { Partition } from './partition.ts';
import type { Partitions } from './partitions.ts';

const BYTES_A_TURN = 2 * 1024 * 1024;

export interface CopyContext {
  readonly directory: string;
  readonly partitions: Partitions;
  /** Of before: marks that are older than the rows have senders bring some again, younger ones would lose some. */
  readonly contents: CatalogContents;
  /** All there are when it is asked. */
  readonly series: () => Iterable<StoredSeries>;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** Rows that come meanwhile may be in it, or not. */
export async function copyStore(context: CopyContext): Promise<void> {
  const { directory, partitions, contents, series, signal } = context;
  const chunks = join(directory, 'chunks');
  for (const part of [chunks, join(directory, 'log')]) mkdirSync(part, { recursive: true, mode: 0o700 });
  for (const start of partitions.starts) {
    signal.throwIfAborted();
    await copyPartition(context, start, chunks);
  }
  const { last, marks } = contents;
  const catalog = new CatalogFile(join(directory, 'catalog.db'));
  try {
    catalog.commit({ series: series(), last, marks, sealedGeneration: 0 });
  } finally {
    catalog.close();
  }
}

/** One that the retention removes meanwhile is not in it; of one that is damaged, what can be read. */
async function copyPartition({ partitions, signal, log }: CopyContext, start: number, directory: string) {
  const file = partitions.fileOf(start);
  const target = new Partition(join(directory, basename(file)));
  const isThere = () => partitions.starts.includes(start);
  try {
    target.begin();
    let bytes = 0;
    for (const series of isThere() ? partitions.open(start).series() : []) {
      if (!isThere()) return;
      bytes += copySeries(partitions.open(start), target, series);
      if (bytes < BYTES_A_TURN) continue;
      bytes = 0;
      await turn();
      signal.throwIfAborted();
    }
    if (isThere()) target.setState(partitions.open(start).state);
  } catch (cause) {
    if (!isDamaged(cause)) throw cause;
    log.error({ file, cause }, 'a partition of the series store is damaged; a copy has what can be read of it');
  } finally {
    if (isThere()) {
      target.commit();
      target.close();
    } else {
      target.discard();
    }
  }
}

/** At once: its chunks share no time. */
function copySeries(source: Partition, target: Partition, series: SeriesId): number {
  let bytes = 0;
  const named = source.nameOf(series);
  if (named !== undefined) target.name(named);
  for (const ref of source.refsOf(series)) {
    const data = source.data(ref);
    if (data === undefined) continue;
    target.copy(ref, data);
    bytes += data.length;
  }
  return bytes;
}
