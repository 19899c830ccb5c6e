/** What was sent to devices, on disk: so that nobody, after whatever end of this process, sends it again. */
import { DatabaseSync } from 'node:sqlite';
import type { TwinRecord } from './property-twin.ts';

export interface WriteLedger {
  /** By property. */
  read(device: string): ReadonlyMap<string, TwinRecord>;
  /** On disk when this returns. */
  write(device: string, records: ReadonlyMap<string, TwinRecord>): void;
  forget(device: string): void;
  close(): void;
}

/** `:memory:` forgets with the process. Devices are known by uid: another one of the same name is another one. */
export function openWriteLedger(file: string): WriteLedger {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL`);
  db.exec(`PRAGMA synchronous = FULL`);
  db.exec(`CREATE TABLE IF NOT EXISTS twin (
    device TEXT NOT NULL,
    property TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (device, property)
  ) WITHOUT ROWID`);
  const select = db.prepare(`SELECT property, record FROM twin WHERE device = ?`);
  const upsert = db.prepare(`INSERT INTO twin (device, property, record) VALUES (?, ?, ?)
    ON CONFLICT (device, property) DO UPDATE SET record = excluded.record`);
  const remove = db.prepare(`DELETE FROM twin WHERE device = ?`);
  return {
    read: (device) =>
      new Map(
        select.all(device).map(({ property, record }) => [String(property), JSON.parse(String(record)) as TwinRecord]),
      ),
    write: (device, records) => {
      db.exec('BEGIN');
      try {
        for (const [property, record] of records) upsert.run(device, property, JSON.stringify(record));
        db.exec('COMMIT');
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    forget: (device) => void remove.run(device),
    close: () => db.close(),
  };
}
