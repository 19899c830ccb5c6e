/** The way in, as the rest of the program has it. */
import type { SeriesStore, SeriesStoreOptions } from './contract.ts';
import { realDisk } from './log.ts';
import { openOn } from './series-store.ts';

/** Throws `SERIES_LOCKED` while another process has the directory. */
export function openSeriesStore(options: SeriesStoreOptions): Promise<SeriesStore> {
  return openOn(options, realDisk);
}
