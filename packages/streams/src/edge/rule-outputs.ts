/** Results of rules as rows of other rules, at the moment at which they come. */
import type { Row } from '../sql/index.ts';

export interface OutputReader {
  rows(rows: readonly Row[], time: number): void;
  /** Nothing earlier comes any more. */
  watermark(time: number): void;
}

export type Output = 'Results' | 'Late';

export class RuleOutputs {
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

  publish(rule: string, output: Output, rows: readonly Row[], time: number): void {
    for (const reader of this.#readers.get(`${output} ${rule}`) ?? []) reader.rows(rows, time);
  }

  advance(rule: string, time: number): void {
    for (const reader of this.#readers.get(`Results ${rule}`) ?? []) reader.watermark(time);
  }
}
