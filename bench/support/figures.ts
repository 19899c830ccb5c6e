/** What a benchmark prints: one figure a line, as JSON. `npm run bench` makes the table of them. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the design promises on two cores. */
  readonly atMost?: number;
  readonly atLeast?: number;
  /** The same thing without Skerry, measured in the same run, and Skerry's value divided by its value. */
  readonly of?: string;
  readonly ratio?: number;
  readonly ratioAtMost?: number;
  /** Memory, sizes and other circumstances, in words. */
  readonly note?: string;
}

export function report(...figures: readonly Figure[]): void {
  for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
}

export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
