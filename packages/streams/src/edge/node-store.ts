/** The node’s time series: opened when something is first recorded. */
import { join } from 'node:path';
import type { Clock, Logger } from '@skerry/base';
import type { SeriesStore } from '../store/index.ts';

export interface NodeStoreOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NodeStore {
  /** Rejects while it cannot be opened; whoever asks again, asks anew. */
  open(): Promise<SeriesStore>;
  /** Undefined while nothing is recorded. */
  readonly opened: SeriesStore | undefined;
  close(): Promise<void>;
}

const SERIES = 'series';

export function nodeStore({ folder, clock, log }: NodeStoreOptions): NodeStore {
  let opened: SeriesStore | undefined;
  let opening: Promise<SeriesStore> | undefined;
  const openOnce = async () => {
    try {
      const { openSeriesStore } = await import('../store/index.ts');
      opened = await openSeriesStore({ directory: join(folder, SERIES), clock, log });
      return opened;
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };
  return {
    open: () => (opening ??= openOnce()),
    get opened() {
      return opened;
    },
    close: async () => (await opening?.catch(() => undefined))?.close(),
  };
}
