/** A partition whose time has passed is written anew: chunks as large as can be, and without what its retention has ended for. */
import type { SeriesId } from '../contract/index.ts';
import { MAX_CHUNK_ROWS } from './codec/chunk.ts';
import { type ChunkRef, type Partition, RAW } from './partition.ts';
import { concat, NO_ROWS, type Rows, slice } from './rows.ts';
import { readRows } from './sealing.ts';

export interface Kept {
  readonly raw: boolean;
  /** Tiers, by their seconds. */
  readonly tiers: readonly number[];
}

/** One series of it. `onDamaged` hears of chunks that are lost; their tiers are kept. */
export function rewriteSeries(
  source: Partition,
  target: Partition,
  series: SeriesId,
  kept: Kept,
  onDamaged: (ref: ChunkRef) => void,
): number {
  let waiting = NO_ROWS;
  let written = 0;
  const put = (rows: Rows) => {
    if (rows.length === 0) return;
    written += rows.length;
    if (kept.raw) target.put(series, rows);
    else target.putTiers(series, rows, kept.tiers);
  };
  for (const forms of chunksOf(source, series)) {
    const raw = forms.find(({ tier }) => tier === RAW);
    const rows = raw && readRows(source, raw);
    if (raw !== undefined && rows === undefined) onDamaged(raw);
    if (rows === undefined) {
      put(waiting);
      waiting = NO_ROWS;
      copyTiers(source, target, forms, kept);
      continue;
    }
    waiting = concat([waiting, rows]);
    while (waiting.length > MAX_CHUNK_ROWS) {
      put(slice(waiting, 0, MAX_CHUNK_ROWS));
      waiting = slice(waiting, MAX_CHUNK_ROWS, waiting.length);
    }
  }
  put(waiting);
  const named = source.nameOf(series);
  if (named !== undefined && (kept.raw || kept.tiers.length > 0)) target.name(named);
  return written;
}

/** By time, each in its forms. */
function* chunksOf(source: Partition, series: SeriesId): Generator<readonly ChunkRef[]> {
  let cursor = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const forms = source.next(series, cursor, Number.MAX_SAFE_INTEGER);
    if (forms[0] === undefined) return;
    yield forms;
    cursor = forms[0].last + 1;
  }
}

function copyTiers(source: Partition, target: Partition, forms: readonly ChunkRef[], kept: Kept): void {
  for (const ref of forms) {
    const data = kept.tiers.includes(ref.tier) ? source.data(ref) : undefined;
    if (data !== undefined) target.copy(ref, data);
  }
}
