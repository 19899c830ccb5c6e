/** The node’s time series: opened when something is first recorded, or asked for. */
import { existsSync } from 'node:fs';
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
  /** As `open`, where something was recorded at any time. */
  existing(): Promise<SeriesStore | undefined>;
  /** Undefined while nothing is recorded. */
  readonly opened: SeriesStore | undefined;
  close(): Promise<void>;
}

const SERIES = 'series';

export function nodeStore({ folder, clock, log }: NodeStoreOptions): NodeStore {
  const directory = join(folder, SERIES);
  let opened: SeriesStore | undefined;
  let opening: Promise<SeriesStore> | undefined;
  const openOnce = async () => {
    try {
      const { openSeriesStore } = await import('../store/index.ts');
      opened = await openSeriesStore({ directory, clock, log });
      return opened;
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };
  const get = () => (opening ??= openOnce());
  return {
    open: get,
    existing: async () => (opening !== undefined || existsSync(directory) ? get() : undefined),
    get opened() {
      return opened;
    },
    close: async () => (await opening?.catch(() => undefined))?.close(),
  };
}
