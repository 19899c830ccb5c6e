/** Results of rules as rows of other rules, at the moment at which they come. */
import type { Row } from '../sql/index.ts';

export interface OutputReader {
  rows(rows: readonly Row[], time: number): void;
  isFull(): boolean;
  /** Nothing earlier comes any more. */
  watermark(time: number): void;
  /** The times that were are of a clock that was wrong. */
  setBack(time: number): void;
}

const OUTPUTS = ['Results', 'Late'] as const;
export type Output = (typeof OUTPUTS)[number];

/** So many rules may read one another in a row; more of them are a circle. */
const MAX_DEPTH = 32;

/** Rules that read each other in a circle; the rows go no further. */
class Circle extends Error {
  override readonly name = 'Circle';
}

export class RuleOutputs {
  #depth = 0;
  readonly #asked = new Set<string>();
  readonly #readers = new Map<string, Set<OutputReader>>();

  /** The returned function ends it. */
  read(rule: string, output: Output, reader: OutputReader): () => void {
    const key = `${output} ${rule}`;
    const readers = this.#readers.get(key) ?? new Set();
    this.#readers.set(key, readers.add(reader));
    return () => {
      readers.delete(reader);
      if (readers.size === 0 && this.#readers.get(key) === readers) this.#readers.delete(key);
    };
  }

  /** Whether any rule reads the results. */
  isRead(rule: string): boolean {
    return this.#readers.has(`Results ${rule}`);
  }

  /** Whether whoever reads it, however far, has no room; in a circle, each is asked once. */
  isFull(rule: string): boolean {
    if (this.#asked.has(rule)) return false;
    this.#asked.add(rule);
    const readers = OUTPUTS.flatMap((output) => [...(this.#readers.get(`${output} ${rule}`) ?? [])]);
    const isFull = readers.some((reader) => reader.isFull());
    this.#asked.delete(rule);
    return isFull;
  }

  publish(rule: string, output: Output, rows: readonly Row[], time: number): void {
    const readers = this.#readers.get(`${output} ${rule}`);
    if (readers === undefined) return;
    this.#deeper(rule, () => {
      for (const reader of readers) reader.rows(rows, time);
    });
  }

  advance(rule: string, time: number): void {
    for (const reader of this.#readers.get(`Results ${rule}`) ?? []) reader.watermark(time);
  }

  setBack(rule: string, time: number): void {
    this.#deeper(rule, () => {
      for (const reader of this.#readers.get(`Results ${rule}`) ?? []) reader.setBack(time);
    });
  }

  #deeper(rule: string, work: () => void): void {
    if (this.#depth >= MAX_DEPTH) throw new Circle(`${rule} and others read each other in a circle`);
    this.#depth++;
    try {
      work();
    } finally {
      this.#depth--;
    }
  }
}
