/** The bounds of a store where nobody says otherwise: those of a small node. */
import type { StoreLimits } from './contract.ts';

const DAY_MS = 86_400_000;

export const DEFAULT_LIMITS: StoreLimits = {
  headRows: 524_288,
  series: 200_000,
  marks: 100_000,
  partitionMs: DAY_MS,
  partitionBytes: 1024 * 1024 * 1024,
  openPartitions: 8,
  aheadMs: DAY_MS,
  sealAfterMs: 3_600_000,
  syncEveryMs: 100,
  querySeries: 20_000,
  queryPoints: 10_000_000,
  queryMs: 30_000,
};
