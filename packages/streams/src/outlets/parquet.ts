/** Parquet files in a directory, one a batch, for whatever reads them: training, notebooks, DuckDB. A file is there whole or not at all. */
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@skerry/base';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { OutletError, type OutletRows, type OutletTarget, type TargetSettings } from './target.ts';
import { Tally, textOf } from './values.ts';

/** `endpoint` is a directory, as a path or a file URL. */
export function parquetTarget({ endpoint }: TargetSettings): OutletTarget {
  const directory = endpoint.startsWith('file:') ? fileURLToPath(endpoint) : endpoint;
  let count = 0;
  return {
    send: async (rows) => {
      const tally = new Tally();
      const bytes = encodeParquet(rows, tally);
      count += 1;
      const name = `${new Date(earliest(rows)).toISOString().replaceAll(/[-:.]/g, '')}-${process.pid}-${count}.parquet`;
      try {
        await mkdir(directory, { recursive: true });
        await writeWhole(join(directory, name), bytes);
      } catch (error) {
        throw new OutletError(`the file could not be written: ${messageOf(error)}`, { cause: error });
      }
      return tally.result();
    },
    close: async () => {},
  };
}

/** Columns `time`, one a label, `value` for numbers, `text` for the rest, `quality`. */
export function encodeParquet(rows: readonly OutletRows[], tally: Tally): Uint8Array {
  const names = [...new Set(rows.flatMap(({ labels }) => Object.keys(labels)))].sort();
  const columns = new Map<string, string[]>(names.map((name) => [name, []]));
  const times: Date[] = [];
  const values: (number | null)[] = [];
  const texts: (string | null)[] = [];
  const qualities: number[] = [];
  for (const { labels, type, rows: one } of rows) {
    for (let index = 0; index < one.length; index++) {
      const value = one.boxed?.get(index) ?? one.values[index] ?? Number.NaN;
      const isNumber = typeof value === 'number' || typeof value === 'bigint';
      times.push(new Date(one.times[index] ?? 0));
      values.push(isNumber ? Number(value) : null);
      texts.push(isNumber ? null : textOf(value, type));
      qualities.push(one.qualities[index] ?? 0);
      for (const [name, column] of columns) column.push(labels[name] ?? '');
    }
    tally.sent(one.length);
  }
  const buffer = parquetWriteBuffer({
    columnData: [
      { name: 'time', data: times, type: 'TIMESTAMP' },
      ...Array.from(columns, ([name, data]) => ({ name: columnName(name), data, type: 'STRING' as const })),
      { name: 'value', data: values, type: 'DOUBLE', nullable: true },
      { name: 'text', data: texts, type: 'STRING', nullable: true },
      { name: 'quality', data: qualities, type: 'INT32' },
    ],
  });
  return new Uint8Array(buffer);
}

const OWN_COLUMNS = new Set(['time', 'value', 'text', 'quality']);

function columnName(label: string): string {
  return OWN_COLUMNS.has(label) ? `label_${label}` : label;
}

function earliest(rows: readonly OutletRows[]): number {
  return rows.reduce(
    (least, { rows: { times, length } }) => Math.min(least, length > 0 ? (times[0] ?? 0) : least),
    Date.UTC(9999, 0),
  );
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
