/** What rules know, on disk: all that are saved at once are of the same moment, also after a crash. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface Checkpoints {
  load(rule: string): Uint8Array | undefined;
  /** All of them or none. */
  save(states: ReadonlyMap<string, Uint8Array>, time: number): void;
  remove(rule: string): void;
  rules(): readonly string[];
  close(): void;
}

export function openCheckpoints(file: string): Checkpoints {
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec(
    'CREATE TABLE IF NOT EXISTS checkpoints (rule TEXT PRIMARY KEY, state BLOB NOT NULL, time INTEGER NOT NULL) STRICT',
  );
  const get = database.prepare('SELECT state FROM checkpoints WHERE rule = ?');
  const put = database.prepare('INSERT OR REPLACE INTO checkpoints (rule, state, time) VALUES (?, ?, ?)');
  const drop = database.prepare('DELETE FROM checkpoints WHERE rule = ?');
  const list = database.prepare('SELECT rule FROM checkpoints');
  return {
    load: (rule) => (get.get(rule) as { readonly state: Uint8Array } | undefined)?.state,
    save: (states, time) => {
      database.exec('BEGIN IMMEDIATE');
      try {
        for (const [rule, state] of states) put.run(rule, state, time);
        database.exec('COMMIT');
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
    remove: (rule) => void drop.run(rule),
    rules: () => list.all().map((row) => String(row['rule'])),
    close: () => database.close(),
  };
}
