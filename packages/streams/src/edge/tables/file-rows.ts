/** Rows of a file, read anew when it has changed. */
import { readFileSync, statSync } from 'node:fs';
import type { LookupTable } from '../../engine/lookup.ts';
import type { TableSource } from '../../kinds/table.ts';
import type { Row } from '../../sql/index.ts';
import { lineDecoder } from '../decode.ts';
import { pathIn } from '../folder.ts';
import { indexed } from './indexed.ts';
import type { RowSource, TableContext } from './open-table.ts';

/** It is looked at so often, at most. */
const LOOK_MS = 1000;
const MAX_BYTES = 64 * 1024 * 1024;

export function fileRows(
  { path, format = 'Csv', delimiter = ',' }: NonNullable<TableSource['file']>,
  asRow: (message: unknown) => Row,
  { folder, clock }: TableContext,
): RowSource {
  let rows: LookupTable = indexed([]);
  let version = '';
  let lookedAt = Number.NEGATIVE_INFINITY;
  const refresh = () => {
    lookedAt = clock.monotonic();
    const file = pathIn(folder, path);
    const { mtimeMs, size, ino } = statSync(file);
    if (size > MAX_BYTES) throw new RangeError(`the file ${path} has more than ${MAX_BYTES} bytes`);
    const current = `${mtimeMs} ${size} ${ino}`;
    if (current === version) return;
    const decode = lineDecoder(format, delimiter);
    const lines = readFileSync(file, 'utf8').split(/\r?\n/);
    rows = indexed(lines.filter((line) => line !== '').flatMap((line) => decode(line).map(asRow)));
    version = current;
  };
  return {
    find: (keys) => {
      if (clock.monotonic() - lookedAt >= LOOK_MS) refresh();
      return rows.find(keys);
    },
  };
}
