/** Stores in a directory that goes away with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skerry/base';
import { openStore, type SqliteStore, type StoreOptions } from '../sqlite-store.ts';

export interface TemporaryDirectory extends Disposable {
  path(name: string): string;
}

export function temporaryDirectory(): TemporaryDirectory {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-store-'));
  return {
    path: (name) => join(directory, name),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export function openTestStore(file: string, options: Partial<StoreOptions> = {}): SqliteStore {
  return openStore({ file, clock: systemClock, log: silentLogger, ...options });
}

/** The turn in which the store commits, or delivers the next portion of its log. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
