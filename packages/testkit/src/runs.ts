/** Counts of property, model and crash tests. `npm run test:long` multiplies them; only tests ever read this variable. */

const TIMES = Number(process.env['SKERRY_LONG'] ?? '1');

/** How often a property is tried, or a crash repeated: `count` in everyday runs, a multiple of it in long ones. */
export function runs(count: number): number {
  return count * TIMES;
}
