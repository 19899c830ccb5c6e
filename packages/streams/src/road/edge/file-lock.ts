/** One process at a time has a file: the one before may take a moment to end. Nobody who only reads is locked out. */
import { DatabaseSync } from 'node:sqlite';

/** Throws while another process has the file. The lock goes with the process, whatever ends it. */
export function lockFile(file: string): Disposable {
  const db = new DatabaseSync(file === ':memory:' ? file : `${file}.lock`);
  try {
    db.exec(`BEGIN EXCLUSIVE`);
  } catch (cause) {
    db.close();
    throw new Error(`another process has ${file} open`, { cause });
  }
  return { [Symbol.dispose]: () => db.close() };
}
