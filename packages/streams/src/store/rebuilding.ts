/** A catalogue that is lost is made anew from the partitions, which hold the labels of their series. */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@skerry/base';
import type { SeriesId } from '../contract/index.ts';
import type { LastValue } from './catalog.ts';
import { type CatalogContents, CatalogFile } from './catalog-file.ts';
import type { StoredSeries } from './contract.ts';
import { isDamaged, syncDirectory } from './database.ts';
import { Partition } from './partition.ts';
import { partitionFiles } from './partitions.ts';
import { rowValue } from './rows.ts';
import { readRows } from './sealing.ts';

export interface OpenedCatalog {
  readonly file: CatalogFile;
  readonly contents: CatalogContents;
}

/** Opened and read; what of it cannot be read is put aside, and made anew. */
export function openCatalog(directory: string, log: Logger): OpenedCatalog {
  const file = join(directory, 'catalog.db');
  if (isMissing(file)) {
    if (partitionFiles(join(directory, 'chunks')).length > 0) rebuild(directory, file, { log, why: 'lost' });
    return openAndRead(file);
  }
  try {
    return openAndRead(file);
  } catch (cause) {
    if (!isDamaged(cause) && !(cause instanceof SyntaxError)) throw cause;
    const aside = `${file}.damaged`;
    renameSync(file, aside);
    remove(file);
    rebuild(directory, file, { log, why: 'damaged', cause, aside });
    return openAndRead(file);
  }
}

function openAndRead(path: string): OpenedCatalog {
  const file = new CatalogFile(path);
  try {
    return { file, contents: file.read() };
  } catch (error) {
    file.close();
    throw error;
  }
}

function isMissing(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/** With what SQLite had beside it. */
function remove(file: string): void {
  for (const each of [file, `${file}-journal`]) if (existsSync(each)) rmSync(each);
}

interface Rebuilding {
  readonly log: Logger;
  readonly why: 'lost' | 'damaged';
  readonly aside?: string;
  readonly cause?: unknown;
}

/** In its place only when it is whole: a crash meanwhile means that it is done again. */
function rebuild(directory: string, file: string, { log, ...facts }: Rebuilding): void {
  const unfinished = `${file}.new`;
  remove(unfinished);
  const found = readPartitions(join(directory, 'chunks'));
  const catalog = new CatalogFile(unfinished);
  try {
    // A generation of the log that is there is sealed again, which changes nothing.
    catalog.commit({ series: found.series.values(), last: found.last, marks: [], sealedGeneration: 0 });
  } finally {
    catalog.close();
  }
  remove(file);
  renameSync(unfinished, file);
  syncDirectory(directory);
  const { series, nameless } = found;
  log.error(
    { ...facts, file, series: series.size, nameless },
    'the catalogue of the series store was not readable; it is made anew from the partitions, without the marks of senders',
  );
}

interface Found {
  readonly series: ReadonlyMap<SeriesId, StoredSeries>;
  readonly last: ReadonlyMap<SeriesId, LastValue>;
  /** Series whose labels no partition has. */
  readonly nameless: number;
}

/** The newest first: it has the last word on labels, and the last rows. */
function readPartitions(directory: string): Found {
  const series = new Map<SeriesId, StoredSeries>();
  const last = new Map<SeriesId, LastValue>();
  const all = new Set<SeriesId>();
  for (const file of partitionFiles(directory).toReversed()) {
    const partition = openReadable(file);
    if (partition === undefined) continue;
    try {
      for (const id of partition.series()) {
        all.add(id);
        const named = series.get(id) ?? partition.nameOf(id);
        if (named !== undefined) series.set(id, named);
        const row = last.get(id) ?? lastIn(partition, id);
        if (row !== undefined) last.set(id, row);
      }
    } catch (error) {
      // What cannot be read of it is told when somebody asks for it.
      if (!isDamaged(error)) throw error;
    } finally {
      partition.close();
    }
  }
  const nameless = [...all].filter((id) => !series.has(id));
  for (const id of nameless) series.set(id, namelessSeries(id));
  return { series, last, nameless: nameless.length };
}

function openReadable(file: string): Partition | undefined {
  try {
    return new Partition(file);
  } catch (error) {
    if (isDamaged(error)) return undefined;
    throw error;
  }
}

function lastIn(partition: Partition, id: SeriesId): LastValue | undefined {
  for (const ref of partition.downFrom(id, Number.MAX_SAFE_INTEGER)) {
    const rows = readRows(partition, ref);
    if (rows === undefined) continue;
    const row = rows.length - 1;
    return { time: rows.times[row] ?? 0, value: rowValue(rows, row), quality: rows.qualities[row] ?? 0 };
  }
  return undefined;
}

/** Rows whose labels are lost can be found all the same, and no other series gets their number. */
export function namelessSeries(id: SeriesId): StoredSeries {
  return { id, labels: { lost: String(id) }, type: 'float64' };
}
