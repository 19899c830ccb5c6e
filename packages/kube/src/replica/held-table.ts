/** What the replica holds of the cloud: each key with the cloud's version, and the position, in the replica's file. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StoreKey } from '../store/contract.ts';

export const HELD_SCHEMA = `
  CREATE TABLE IF NOT EXISTS held (key TEXT PRIMARY KEY, version TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS held_state (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
`;

const POSITION = 'position';
const SESSION_NUMBER = 'session number';
const NO_POSITION = new Uint8Array(0);

export class HeldTable {
  readonly #set: StatementSync;
  readonly #delete: StatementSync;
  readonly #all: StatementSync;
  readonly #setState: StatementSync;
  readonly #getState: StatementSync;

  constructor(database: DatabaseSync) {
    this.#set = database.prepare('INSERT OR REPLACE INTO held (key, version) VALUES (?, ?)');
    this.#delete = database.prepare('DELETE FROM held WHERE key = ?');
    this.#all = database.prepare('SELECT key, version FROM held');
    this.#setState = database.prepare('INSERT OR REPLACE INTO held_state (name, value) VALUES (?, ?)');
    this.#getState = database.prepare('SELECT value FROM held_state WHERE name = ?');
  }

  *versions(): Generator<readonly [key: StoreKey, version: string]> {
    for (const { key, version } of this.#all.iterate()) yield [String(key), String(version)];
  }

  set(key: StoreKey, version: string): void {
    this.#set.run(key, version);
  }

  delete(key: StoreKey): void {
    this.#delete.run(key);
  }

  position(): Uint8Array {
    return this.#state(POSITION) ?? NO_POSITION;
  }

  setPosition(position: Uint8Array): void {
    this.#setState.run(POSITION, position);
  }

  sessionNumber(): number {
    return Number(new TextDecoder().decode(this.#state(SESSION_NUMBER) ?? NO_POSITION));
  }

  setSessionNumber(sessionNumber: number): void {
    this.#setState.run(SESSION_NUMBER, new TextEncoder().encode(String(sessionNumber)));
  }

  #state(name: string): Uint8Array | undefined {
    const value = this.#getState.get(name)?.['value'];
    return value instanceof Uint8Array ? value : undefined;
  }
}
