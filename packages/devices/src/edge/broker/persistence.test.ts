import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openJournal } from './journal.ts';
import { BrokerPersistence } from './persistence.ts';

/** What every persistence of this broker must do, as its authors wrote it down. */
const abstractSuite = createRequire(import.meta.url)('aedes-persistence/abstract.js') as (options: object) => void;

const folder = mkdtempSync(join(tmpdir(), 'skerry-persistence-'));
after(() => rmSync(folder, { recursive: true }));

let opened = 0;

/** As a broker runs it: on a disk. */
abstractSuite({
  test,
  testAsync: true,
  persistence: () =>
    new BrokerPersistence({
      journal: openJournal(join(folder, `${++opened}.db`)),
      maxBytes: 1e8,
      maxQueuedPerClient: 1e5,
    }),
});
