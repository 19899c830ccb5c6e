/** What a store does to its partitions in quiet hours: ends what the retention has ended, and makes dense what grows no more. */
import { setImmediate as turn } from 'node:timers/promises';
import type { RetentionPlan } from './contract.ts';
import { isDamaged } from './database.ts';
import type { ChunkRef, Partition } from './partition.ts';
import type { Partitions } from './partitions.ts';
import { type Kept, rewriteSeries } from './rewriting.ts';
import { MICROS } from './rows.ts';

const HOUR = 3_600_000 * MICROS;
/** A partition counts as one that grows no more so long after its end. */
const SETTLED_AFTER = HOUR;
const ROWS_A_TURN = 16_000;

export interface MaintenanceContext {
  readonly partitions: Partitions;
  /** Microseconds. */
  readonly now: number;
  readonly retention: RetentionPlan;
  readonly signal: AbortSignal;
  /** Grows whenever rows were sealed into the partition. */
  readonly versionOf: (start: number) => number;
  readonly onDamaged: (ref: ChunkRef) => void;
}

export async function maintainPartitions(context: MaintenanceContext): Promise<void> {
  const { partitions, signal } = context;
  for (const start of partitions.starts) {
    if (signal.aborted) return;
    await maintainPartition(context, start);
  }
  removeOldest(context);
}

async function maintainPartition(context: MaintenanceContext, start: number): Promise<void> {
  const { partitions, now } = context;
  const { to } = partitions.rangeAt(start);
  const kept = keptOf(context, to);
  if (!kept.raw && kept.tiers.length === 0) {
    partitions.remove(start);
    return;
  }
  const { isDense, hasRaw, tiers } = partitions.open(start).state;
  const isSettled = to + SETTLED_AFTER <= now;
  const isTooMuch = (hasRaw && !kept.raw) || tiers > kept.tiers.length;
  if (!(isSettled && !isDense) && !isTooMuch) return;
  try {
    await rewrite(context, start, kept);
  } catch (error) {
    // It stays as it is, for what can still be read of it, until all of it is to be removed.
    if (!isDamaged(error)) throw error;
  }
}

/** Milliseconds; undefined: some of it is kept without end. */
export function longestOf({ rawFor, secondFor = rawFor, minuteFor, hourFor }: RetentionPlan): number | undefined {
  if (rawFor === undefined || secondFor === undefined || minuteFor === undefined || hourFor === undefined)
    return undefined;
  return Math.max(rawFor, secondFor, minuteFor, hourFor);
}

/** What is still to be kept of a partition that ends there. */
function keptOf({ now, retention }: MaintenanceContext, end: number): Kept {
  const { rawFor, secondFor = rawFor, minuteFor, hourFor } = retention;
  const isKept = (duration: number | undefined) => duration === undefined || end > now - duration * MICROS;
  const tiers = [
    [1, secondFor],
    [60, minuteFor],
    [3600, hourFor],
  ] as const;
  const raw = isKept(rawFor);
  // While the rows are there, tiers over them cost little and answer quickly.
  return { raw, tiers: tiers.filter(([, duration]) => raw || isKept(duration)).map(([seconds]) => seconds) };
}

/** Series by series into another file, which then takes the place of the first; given up when rows come meanwhile. */
async function rewrite(context: MaintenanceContext, start: number, kept: Kept): Promise<void> {
  const { partitions, signal, onDamaged } = context;
  const version = context.versionOf(start);
  const target = partitions.openNew(start);
  const isOvertaken = () => signal.aborted || context.versionOf(start) !== version;
  try {
    target.begin();
    let rows = 0;
    for (const series of partitions.open(start).series()) {
      rows += rewriteSeries(partitions.open(start), target, series, kept, onDamaged);
      if (rows < ROWS_A_TURN) continue;
      rows = 0;
      await turn();
      if (isOvertaken()) return;
    }
    if (isOvertaken()) return;
    finish(target, kept);
    partitions.replace(start, target);
  } finally {
    target.discard();
  }
}

function finish(target: Partition, kept: Kept): void {
  target.setState({ isDense: true, hasRaw: kept.raw, tiers: kept.tiers.length });
  target.commit();
  target.close();
}

/** Until the rest is small enough; the newest stays. */
function removeOldest({ partitions, retention }: MaintenanceContext): void {
  const { maxBytes = Number.POSITIVE_INFINITY } = retention;
  while (partitions.count > 1 && partitions.bytes > maxBytes) partitions.remove(partitions.starts[0] ?? 0);
}
