/** An online copy: the current objects of one instant, written beside the running server a few at a time. */
import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Revision, StoredObject } from './contract.ts';
import { FORMAT, LogTable, SCHEMA } from './log-table.ts';

/** So many objects a turn: about 2 ms. */
const CHUNK = 250;

// Clients may have seen revisions above the backup's. The copy starts far beyond them, with everything before compacted,
// so that whoever resumes from the lost time is told 410 and lists anew.
const REVISION_GAP = 1_000_000_000;

export async function backUp(file: string, objects: readonly StoredObject[], revision: Revision): Promise<void> {
  const partial = `${file}.partial`;
  await rm(partial, { force: true });
  await (await open(partial, 'wx', 0o600)).close();
  try {
    await writeCopy(partial, objects, revision);
    await syncPath(partial);
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await syncPath(dirname(file));
}

async function writeCopy(file: string, objects: readonly StoredObject[], revision: Revision): Promise<void> {
  const database = new DatabaseSync(file);
  try {
    // The file is worthless until it is whole, so it is synced once, at the end and off this thread.
    database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
    database.exec(SCHEMA);
    const table = new LogTable(database);
    table.setMeta('format', FORMAT);
    table.setMeta('epoch', randomUUID());
    table.setMeta('compacted', revision + REVISION_GAP);
    const byRevision = objects.toSorted((a, b) => a.revision - b.revision);
    for (let start = 0; start < byRevision.length; start += CHUNK) {
      database.exec('BEGIN');
      for (const object of byRevision.slice(start, start + CHUNK)) table.append({ ...object, previous: 0 });
      database.exec('COMMIT');
      await new Promise(setImmediate);
    }
  } finally {
    database.close();
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
