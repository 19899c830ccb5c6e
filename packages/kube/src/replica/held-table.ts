/**
 * What the replica holds of the cloud: each key with the cloud's version, and the position, in the replica's file.
 * A shadow is the object as the cloud has it, for as long as the edge shows it with writes of its own.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StoreKey } from '../store/contract.ts';

export const HELD_SCHEMA = `
  CREATE TABLE IF NOT EXISTS held (key TEXT PRIMARY KEY, version TEXT NOT NULL, shadow TEXT) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS held_state (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
`;

const POSITION = 'position';
const SESSION_NUMBER = 'session number';
const NO_POSITION = new Uint8Array(0);

export class HeldTable {
  readonly #set: StatementSync;
  readonly #cast: StatementSync;
  readonly #clear: StatementSync;
  readonly #shadow: StatementSync;
  readonly #shadowed: StatementSync;
  readonly #delete: StatementSync;
  readonly #all: StatementSync;
  readonly #setState: StatementSync;
  readonly #getState: StatementSync;

  constructor(database: DatabaseSync) {
    this.#set = database.prepare('INSERT OR REPLACE INTO held (key, version, shadow) VALUES (?, ?, ?)');
    this.#cast = database.prepare('UPDATE held SET shadow = ? WHERE key = ? AND shadow IS NULL');
    this.#clear = database.prepare('UPDATE held SET shadow = NULL WHERE key = ?');
    this.#shadow = database.prepare('SELECT shadow FROM held WHERE key = ?');
    this.#shadowed = database.prepare('SELECT key FROM held WHERE shadow IS NOT NULL');
    this.#delete = database.prepare('DELETE FROM held WHERE key = ?');
    this.#all = database.prepare('SELECT key, version FROM held');
    this.#setState = database.prepare('INSERT OR REPLACE INTO held_state (name, value) VALUES (?, ?)');
    this.#getState = database.prepare('SELECT value FROM held_state WHERE name = ?');
  }

  *versions(): Generator<readonly [key: StoreKey, version: string]> {
    for (const { key, version } of this.#all.iterate()) yield [String(key), String(version)];
  }

  set(key: StoreKey, version: string, shadow: string | undefined): void {
    this.#set.run(key, version, shadow ?? null);
  }

  /** The edge is about to write over the cloud's object, unless it has already. Nothing for an object of its own. */
  castShadow(key: StoreKey, json: string): void {
    this.#cast.run(json, key);
  }

  clearShadow(key: StoreKey): void {
    this.#clear.run(key);
  }

  shadow(key: StoreKey): string | undefined {
    const shadow = this.#shadow.get(key)?.['shadow'];
    return typeof shadow === 'string' ? shadow : undefined;
  }

  shadowedKeys(): StoreKey[] {
    return this.#shadowed.all().map(({ key }) => String(key));
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
