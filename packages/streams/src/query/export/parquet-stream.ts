/** Series as a Parquet file that is never whole in memory: a group of rows at a time. */
import { setImmediate as turn } from 'node:timers/promises';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { columnsOf, schemaOf } from '../../outlets/parquet-columns.ts';
import type { OutletRows } from '../../outlets/target.ts';

/** What is encoded at a time: readers like large groups, and whoever else uses the process likes small ones. */
const ROWS_A_GROUP = 16_384;

/** Gives away what was written so far; places in the file are counted on. */
class PassingWriter extends ByteWriter {
  take(): Uint8Array {
    const bytes = this.getBytes().slice();
    this.index = 0;
    return bytes;
  }
}

export async function* parquetStream(
  series: AsyncIterable<OutletRows>,
  labels: readonly string[],
): AsyncGenerator<Uint8Array> {
  const writer = new PassingWriter();
  const file = new ParquetWriter({ writer, schema: schemaOf(labels) });
  for await (const group of groupsOf(series)) {
    await file.write({ columnData: columnsOf(group, labels), rowGroupSize: Number.MAX_SAFE_INTEGER });
    yield writer.take();
    await turn();
  }
  await file.finish();
  yield writer.take();
}

async function* groupsOf(series: AsyncIterable<OutletRows>): AsyncGenerator<readonly OutletRows[]> {
  let group: OutletRows[] = [];
  let length = 0;
  for await (const one of series) {
    group.push(one);
    length += one.rows.length;
    if (length < ROWS_A_GROUP) continue;
    yield group;
    [group, length] = [[], 0];
  }
  if (length > 0) yield group;
}
