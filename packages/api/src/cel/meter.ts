/** What an evaluation may cost. Each step of it asks here first, so that no expression holds the server for long. */

/** As the API server bounds one call of an expression. */
export const EXPRESSION_COST_LIMIT = 1_000_000;

/** Characters, list items and map entries cost a tenth of a step each. */
const SIZE_FACTOR = 0.1;

/** Thrown as it is by every step after the limit; making one with a stack for each would be a cost of its own. */
export class CostExceeded extends Error {}

export class Meter {
  readonly #exceeded = new CostExceeded('operation cancelled: actual cost limit exceeded');
  #weights = new WeakMap<object, number>();
  #left = 0;
  #spent = 0;
  #depth = 0;

  /** What the last run cost. */
  get spent(): number {
    return this.#spent;
  }

  /** Runs `work` with a limit; a run within a run, as of a lazy variable, shares the outer one's. */
  run<T>(limit: number, work: () => T): T {
    if (this.#depth === 0) {
      this.#left = limit;
      this.#spent = 0;
      this.#weights = new WeakMap();
    }
    this.#depth++;
    try {
      const result = work();
      // `exists` and `||` go on after errors of their parts, and this one must count whatever they make of it.
      if (this.#left < 0) throw this.#exceeded;
      return result;
    } finally {
      this.#depth--;
    }
  }

  spend(cost: number): void {
    this.#left -= cost;
    this.#spent += cost;
    if (this.#left < 0) throw this.#exceeded;
  }

  /** For what walks over values: their whole size counts. */
  spendFor(...values: readonly unknown[]): void {
    let size = 0;
    for (const value of values) size += this.#weigh(value);
    this.spend(size * SIZE_FACTOR);
  }

  #weigh(value: unknown): number {
    if (typeof value === 'string') return value.length;
    if (typeof value !== 'object' || value === null) return 1;
    const known = this.#weights.get(value);
    if (known !== undefined) return known;
    const weight = value instanceof Uint8Array ? value.length : this.#weighParts(value);
    this.#weights.set(value, weight);
    return weight;
  }

  #weighParts(value: object): number {
    let weight = 1;
    // Weighing walks over the value too, so it ends where the limit does.
    for (const part of Object.values(value)) {
      weight += this.#weigh(part);
      if (weight * SIZE_FACTOR > this.#left) throw this.#exceeded;
    }
    return weight;
  }
}
