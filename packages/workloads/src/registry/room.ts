/** What the disk has left for content: nothing is promised twice, and the store of the API, on the same disk, keeps its part. */
import { statfs } from 'node:fs/promises';

/** Below that nothing is taken any more. */
const MIN_FREE_BYTES = 512 * 1024 * 1024;
/** So often the disk is looked at while content comes. */
export const ROOM_STEP_BYTES = 4 * 1024 * 1024;

/** Of bytes that are still to be written; given back by `Symbol.dispose`. */
export interface Reservation extends Disposable {
  /** So many of them are still to come: the others are on the disk, where the system counts them. */
  leave(bytes: number): void;
}

export class Room {
  readonly #freeBytes: () => Promise<number>;
  #reserved = 0;

  constructor(freeBytes: () => Promise<number>) {
    this.#freeBytes = freeBytes;
  }

  /** Undefined where the disk cannot take so much beside what it was promised already. */
  async reserve(bytes: number): Promise<Reservation | undefined> {
    const free = await this.#freeBytes();
    if (free - this.#reserved - bytes < MIN_FREE_BYTES) return undefined;
    let left = bytes;
    this.#reserved += left;
    const leave = (wanted: number) => {
      const kept = Math.max(0, Math.min(left, wanted));
      this.#reserved -= left - kept;
      left = kept;
    };
    return { leave, [Symbol.dispose]: () => leave(0) };
  }

  /** Whether others have filled the disk, whatever was promised. */
  async isLow(): Promise<boolean> {
    return (await this.#freeBytes()) < MIN_FREE_BYTES;
  }
}

export async function freeBytesAt(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
