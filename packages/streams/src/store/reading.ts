/** The rows of one series from wherever they are: chunks of the partitions, and over them what is still in memory. */
import type { SeriesId } from '../contract/index.ts';
import { decodeTier, type Steps } from './codec/tier.ts';
import { isDamaged } from './database.ts';
import { type ChunkRef, type Partition, RAW } from './partition.ts';
import type { Partitions } from './partitions.ts';
import { merge, type Rows, within } from './rows.ts';
import { readRows } from './sealing.ts';

export interface RowSources {
  readonly partitions: Partitions;
  /** Of the heads, by time; newer than what chunks say of the same time. */
  readonly inMemory: (series: SeriesId) => Rows;
  readonly onDamaged: (ref: ChunkRef) => void;
}

/** Rows, or what they add up to where that was asked for and is enough. */
export type Block =
  | { readonly rows: Rows; readonly steps?: undefined }
  /** `first`: the time of its first row, which may be long after the first step's beginning. */
  | { readonly steps: Steps; readonly first: number; readonly rows?: undefined };

/**
 * In pieces, by time. Between two of them sealing may change the chunks: each piece looks anew for the chunk that follows in time.
 * `useTiers` says whether a tier of that many seconds would do for a chunk; it is asked with the chunk's first and last time.
 */
export function* readBlocks(
  sources: RowSources,
  series: SeriesId,
  { from, to }: { readonly from: number; readonly to: number },
  tiers?: TierChoice,
): Generator<Block> {
  const memory = within(sources.inMemory(series), from, to);
  let cursor = from;
  for (const start of sources.partitions.within(from, to)) {
    const end = Math.min(to, sources.partitions.rangeAt(start).to);
    while (cursor < end) {
      // Asked for each time: it may have been closed, or replaced, since the last piece.
      const partition = sources.partitions.open(start);
      const forms = nextForms(sources, partition, series, { from: cursor, to: end });
      const last = forms[0]?.last;
      if (last === undefined) break;
      const fresh = within(memory, cursor, last + 1);
      const block = readForms(partition, forms, fresh.length > 0 ? undefined : tiers) ?? lost(sources, forms);
      if (block.rows === undefined) yield block;
      else yield { rows: within(merge(block.rows, fresh), cursor, Math.min(to, last + 1)) };
      cursor = last + 1;
    }
  }
  const rest = within(memory, cursor, to);
  if (rest.length > 0) yield { rows: rest };
}

/** None where the partition is so damaged that it does not even know what it has. */
function nextForms(
  { onDamaged }: RowSources,
  partition: Partition,
  series: SeriesId,
  { from, to }: { readonly from: number; readonly to: number },
): readonly ChunkRef[] {
  try {
    return partition.next(series, from, to);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    onDamaged({ id: 0, series, tier: RAW, first: from, last: to - 1, rows: 0 });
    return [];
  }
}

export interface TierChoice {
  /** In seconds, the coarsest first. */
  readonly widths: readonly number[];
  /** Whether the steps of a tier of that many seconds fit the range, for a chunk of these times. */
  readonly fits: (width: number, first: number, last: number) => boolean;
  readonly isEnough: (steps: Steps) => boolean;
}

/** Undefined when the chunk is damaged. */
function readForms(partition: Partition, forms: readonly ChunkRef[], tiers: TierChoice | undefined): Block | undefined {
  const raw = forms.find(({ tier }) => tier === RAW);
  for (const width of tiers?.widths ?? []) {
    const ref = forms.find(({ tier }) => tier === width);
    // Where the rows have gone, a tier stands for them also at the ends of the range.
    if (ref === undefined || (raw !== undefined && tiers?.fits(width, ref.first, ref.last) !== true)) continue;
    const data = partition.data(ref);
    const steps = data === undefined ? undefined : decodeTier(data, width * 1_000_000);
    if (steps !== undefined && (tiers?.isEnough(steps) ?? false)) return { steps, first: ref.first };
  }
  if (raw === undefined) return NOTHING;
  const rows = readRows(partition, raw);
  return rows === undefined ? undefined : { rows };
}

const EMPTY = new Float64Array(0);
const NOTHING: Block = {
  rows: { length: 0, times: EMPTY, values: EMPTY, qualities: new Uint8Array(0) },
};

function lost({ onDamaged }: RowSources, [ref]: readonly ChunkRef[]): Block {
  if (ref !== undefined) onDamaged(ref);
  return NOTHING;
}
