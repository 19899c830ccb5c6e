/** The part of a series store that the intake needs, in memory: what was not synced is gone after a crash. For tests. */
import { isDeepStrictEqual } from 'node:util';
import { type Batch, type Boxed, valueAt } from '../../contract/index.ts';
import { seriesErrors } from '../../store/errors.ts';
import type { Appended, Labels, Mark, Matcher, SeriesStore, StoredSeries, StoredType } from '../../store/index.ts';

export interface MemoryRow {
  readonly labels: Labels;
  readonly time: number;
  readonly value: number | Boxed;
  readonly quality: number;
}

const NO_STATS = {
  series: 0,
  logBytes: 0,
  partitions: 0,
  openPartitions: 0,
  bytes: 0,
  taken: 0,
  tooOld: 0,
  tooNew: 0,
  refused: 0,
  damagedChunks: 0,
};

type Part = Pick<SeriesStore, 'series' | 'append' | 'mark' | 'sync' | 'seriesOf' | 'stats'>;

export class MemoryStore {
  /** Every row, also one that repeats another. */
  readonly rows: MemoryRow[] = [];
  readonly series: StoredSeries[] = [];
  headRows = 0;
  /** So many times it says first that it is behind. */
  behind = 0;
  /** Says why it takes nothing. */
  trouble: string | undefined;
  readonly #marks = new Map<string, Uint8Array>();
  #unsynced: { readonly rows: readonly MemoryRow[]; readonly mark: Mark | undefined }[] = [];

  #process = 0;

  /** The process that had it is gone. */
  crash(): void {
    this.#unsynced = [];
    this.#process++;
  }

  /** As this process sees it. */
  get store(): SeriesStore {
    const own = this.#process;
    const append: Part['append'] = (batch, mark) => {
      if (own !== this.#process) throw new Error('this process is gone');
      return this.#append(batch, mark);
    };
    const part: Part = {
      series: (labels, type) => this.#register(labels, type),
      append,
      mark: (key) => this.#unsynced.findLast(({ mark }) => mark?.key === key)?.mark?.value ?? this.#marks.get(key),
      sync: () => this.#sync(),
      stats: () => ({ ...NO_STATS, headRows: this.headRows }),
      seriesOf: (matchers) => this.series.filter(({ labels }) => matchers.every((each) => matches(labels, each))),
    };
    return part as SeriesStore;
  }

  #register(labels: Labels, type: StoredType): number {
    const known = this.series.findIndex((each) => isDeepStrictEqual(each.labels, labels));
    return known === -1 ? this.series.push({ id: this.series.length, labels, type }) - 1 : known;
  }

  #append(batch: Batch, mark: Mark | undefined): Appended {
    if (this.trouble !== undefined) throw new Error(this.trouble);
    if (this.behind-- > 0) throw seriesErrors.BEHIND({ rows: batch.length });
    const rows = Array.from({ length: batch.length }, (_, row) => ({
      labels: this.series[batch.series[row] ?? -1]?.labels ?? {},
      time: batch.times[row] ?? 0,
      value: valueAt(batch, row),
      quality: batch.qualities[row] ?? 0,
    }));
    this.#unsynced.push({ rows, mark });
    return { taken: rows.length, tooOld: 0, tooNew: 0, refused: 0 };
  }

  async #sync(): Promise<void> {
    if (this.trouble !== undefined) throw new Error(this.trouble);
    const synced = this.#unsynced;
    this.#unsynced = [];
    for (const { rows, mark } of synced) {
      this.rows.push(...rows);
      if (mark !== undefined) this.#marks.set(mark.key, mark.value);
    }
    await new Promise(setImmediate);
  }
}

function matches(labels: Labels, { label, value }: Matcher): boolean {
  return labels[label] === value;
}
