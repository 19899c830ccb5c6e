import { createRequire } from 'node:module';
import { test } from 'node:test';
import { openJournal } from './journal.ts';
import { BrokerPersistence } from './persistence.ts';

/** What every persistence of this broker must do, as its authors wrote it down. */
const abstractSuite = createRequire(import.meta.url)('aedes-persistence/abstract.js') as (options: object) => void;

abstractSuite({
  test,
  testAsync: true,
  persistence: () =>
    new BrokerPersistence({ journal: openJournal(':memory:'), maxBytes: 1e8, maxQueuedPerClient: 1e5 }),
});
