/** Parquet files in a directory, one a batch, for whatever reads them: training, notebooks, DuckDB. A file is there whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { messageOf } from '@skerry/base';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { pathIn } from '../edge/folder.ts';
import { columnsOf, schemaOf } from './parquet-columns.ts';
import { OutletError, type OutletRows, type OutletTarget, type TargetSettings } from './target.ts';
import { Tally } from './values.ts';
import { writeWhole } from './whole-file.ts';

/** `endpoint` is a directory within the folder of files. */
export function parquetTarget({ endpoint, folder }: TargetSettings): OutletTarget {
  const directory = pathIn(folder, endpoint);
  return {
    send: async (rows) => {
      const tally = new Tally();
      const bytes = encodeParquet(rows, tally);
      const name = `${new Date(earliest(rows)).toISOString().replaceAll(/[-:.]/g, '')}-${randomUUID()}.parquet`;
      try {
        await mkdir(directory, { recursive: true });
        await writeWhole(directory, name, [bytes]);
      } catch (error) {
        throw new OutletError(`the file could not be written: ${messageOf(error)}`, { cause: error });
      }
      return tally.result();
    },
    close: async () => {},
  };
}

export function encodeParquet(rows: readonly OutletRows[], tally: Tally): Uint8Array {
  const labels = [...new Set(rows.flatMap(({ labels: own }) => Object.keys(own)))].sort();
  for (const { rows: one } of rows) tally.sent(one.length);
  return new Uint8Array(parquetWriteBuffer({ columnData: columnsOf(rows, labels), schema: schemaOf(labels) }));
}

function earliest(rows: readonly OutletRows[]): number {
  return rows.reduce(
    (least, { rows: { times, length } }) => Math.min(least, length > 0 ? (times[0] ?? 0) : least),
    Date.UTC(9999, 0),
  );
}
