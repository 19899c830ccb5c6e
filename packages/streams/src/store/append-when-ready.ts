/** For whoever may wait. */
import { hasCode } from '@skerry/base';
import type { Batch } from '../contract/index.ts';
import type { Appended, Mark, SeriesStore } from './contract.ts';

/** Appends when there is room: waits while the store is behind, and throws what `append` throws otherwise. */
export async function appendWhenReady(store: SeriesStore, batch: Batch, mark?: Mark): Promise<Appended> {
  for (;;) {
    try {
      return store.append(batch, mark);
    } catch (error) {
      if (!hasCode(error, 'SERIES_BEHIND')) throw error;
      await store.sync();
    }
  }
}
