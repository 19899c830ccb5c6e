/** How late cycles began, over the last of them. */

export interface Jitter {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maximumMs: number;
}

/** A minute of cycles of 10 ms. */
const MAX_SAMPLES = 6000;

export class JitterWindow {
  readonly #samples: Float64Array;
  #count = 0;

  /** As many cycles as begin in a minute. */
  constructor(cycleMs: number) {
    this.#samples = new Float64Array(Math.min(MAX_SAMPLES, Math.max(1, Math.ceil(60_000 / cycleMs))));
  }

  add(lateMs: number): void {
    this.#samples[this.#count++ % this.#samples.length] = Math.abs(lateMs);
  }

  get summary(): Jitter | undefined {
    const known = Math.min(this.#count, this.#samples.length);
    if (known === 0) return undefined;
    const sorted = this.#samples.slice(0, known).sort();
    const at = (share: number) => rounded(sorted[Math.min(known - 1, Math.floor(known * share))] ?? 0);
    return { p50Ms: at(0.5), p99Ms: at(0.99), maximumMs: at(1) };
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
