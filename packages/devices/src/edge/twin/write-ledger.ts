/** What was sent to devices, on disk: so that nobody, after whatever end of this process, sends it again. */
import { DatabaseSync } from 'node:sqlite';
import type { TwinRecord } from './property-twin.ts';

export interface WriteLedger {
  /** By property. */
  read(device: string): ReadonlyMap<string, TwinRecord>;
  /** On disk when this returns. */
  write(device: string, records: ReadonlyMap<string, TwinRecord>): void;
  /** Outlives this process, and is on disk with the next write: for what is found out again when it is lost. */
  note(device: string, records: ReadonlyMap<string, TwinRecord>): void;
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
  const write: WriteLedger['write'] = (device, records) => {
    db.exec('BEGIN');
    try {
      for (const [property, record] of records) upsert.run(device, property, JSON.stringify(record));
      db.exec('COMMIT');
    } catch (error) {
      db.exec('ROLLBACK');
      throw error;
    }
  };
  return {
    read: (device) =>
      new Map(
        select.all(device).map(({ property, record }) => [String(property), JSON.parse(String(record)) as TwinRecord]),
      ),
    write,
    note: (device, records) => {
      db.exec('PRAGMA synchronous = NORMAL');
      try {
        write(device, records);
      } finally {
        db.exec('PRAGMA synchronous = FULL');
      }
    },
    forget: (device) => void remove.run(device),
    close: () => db.close(),
  };
}
