/** What a store does to its partitions in quiet hours: ends what the retention has ended, and makes dense what grows no more. */
import { setImmediate as turn } from 'node:timers/promises';
import type { SeriesId } from '../contract/index.ts';
import type { RetentionPlan } from './contract.ts';
import { isDamaged } from './database.ts';
import type { Keeping } from './keeping.ts';
import { type ChunkRef, type Partition, RAW } from './partition.ts';
import type { Partitions } from './partitions.ts';
import { type Kept, rewriteSeries } from './rewriting.ts';
import { MICROS } from './rows.ts';

const HOUR = 3_600_000 * MICROS;
/** A partition counts as one that grows no more so long after its end. */
const SETTLED_AFTER = HOUR;
const ROWS_A_TURN = 16_000;
const CHUNKS_A_TURN = 4096;

export interface MaintenanceContext {
  readonly partitions: Partitions;
  /** Microseconds. */
  readonly now: number;
  readonly keeping: Keeping;
  readonly signal: AbortSignal;
  /** Grows whenever rows were sealed into the partition. */
  readonly versionOf: (start: number) => number;
  readonly onDamaged: (ref: ChunkRef) => void;
}

/** What is to be kept of a series in a partition. */
type KeptOf = (series: SeriesId) => Kept;

/** Whether all was done: when rows come meanwhile, a partition waits for the next time. */
export async function maintainPartitions(context: MaintenanceContext): Promise<boolean> {
  const { partitions, keeping, signal } = context;
  const beyond = keeping.isCommon ? new Map<RetentionPlan, number>() : await boundsOf(context);
  let isWhole = true;
  for (const start of partitions.starts) {
    if (signal.aborted) return false;
    isWhole = (await maintainPartition(context, start, beyond)) && isWhole;
  }
  removeOldest(context);
  return isWhole;
}

async function maintainPartition(
  context: MaintenanceContext,
  start: number,
  beyond: ReadonlyMap<RetentionPlan, number>,
): Promise<boolean> {
  const { partitions, now, keeping } = context;
  const { to } = partitions.rangeAt(start);
  const planned = (plan: RetentionPlan) =>
    start < (beyond.get(plan) ?? Number.NEGATIVE_INFINITY) ? NOTHING : keptOf(plan, to, now);
  const keptBy = perPlan(keeping, planned);
  const isNothing = ({ raw, tiers }: Kept) => !raw && tiers.length === 0;
  try {
    const all = keeping.isCommon ? [planned(keeping.plan)] : partitions.open(start).series().map(keptBy);
    if (all.length > 0 && all.every(isNothing)) {
      partitions.remove(start);
      return true;
    }
    const isSettled = to + SETTLED_AFTER <= now && !partitions.open(start).state.isDense;
    if (!isSettled && !(await isTooMuch(context, start, keptBy))) return true;
    return await rewrite(context, start, keptBy);
  } catch (error) {
    // It stays as it is, for what can still be read of it, until all of it is to be removed.
    if (!isDamaged(error)) throw error;
    return true;
  }
}

/** Each plan is looked at once. */
function perPlan(keeping: Keeping, planned: (plan: RetentionPlan) => Kept): KeptOf {
  const known = new Map<RetentionPlan, Kept>();
  return (series) => {
    const plan = keeping.planOf(series);
    const kept = known.get(plan) ?? planned(plan);
    known.set(plan, kept);
    return kept;
  };
}

/** Something has outlived its plan. */
async function isTooMuch({ partitions, keeping }: MaintenanceContext, start: number, keptBy: KeptOf): Promise<boolean> {
  const { raw, tiers } = partitions.open(start).state;
  if (keeping.isCommon) {
    const kept = keptBy(0);
    return (raw !== 'none' && !kept.raw) || tiers > kept.tiers.length;
  }
  let chunks = 0;
  for (const series of partitions.open(start).series()) {
    const all = partitions.open(start).forms(series);
    if (all.some((forms) => isMoreThan(forms, keptBy(series)))) return true;
    chunks += all.length;
    if (chunks < CHUNKS_A_TURN) continue;
    chunks = 0;
    await turn();
  }
  return false;
}

/** Rows that stand in for a tier are none too many. */
function isMoreThan(forms: readonly number[], { raw, tiers }: Kept): boolean {
  if (forms.some((form) => form !== RAW && !tiers.includes(form))) return true;
  return !raw && forms.includes(RAW) && tiers.every((tier) => forms.includes(tier));
}

/** Milliseconds; undefined: some of it is kept without end. */
export function longestOf({ rawFor, secondFor = rawFor, minuteFor, hourFor }: RetentionPlan): number | undefined {
  if (rawFor === undefined || secondFor === undefined || minuteFor === undefined || hourFor === undefined)
    return undefined;
  return Math.max(rawFor, secondFor, minuteFor, hourFor);
}

const NOTHING: Kept = { raw: false, tiers: [] };

/** What is still to be kept of a partition that ends there. */
function keptOf({ rawFor, secondFor = rawFor, minuteFor, hourFor }: RetentionPlan, end: number, now: number): Kept {
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

/** For plans with a bound: of partitions that begin before, nothing is kept, since the newer ones fill it. The newest stays. */
async function boundsOf({ partitions, keeping }: MaintenanceContext): Promise<ReadonlyMap<RetentionPlan, number>> {
  const taken = new Map<RetentionPlan, number>();
  const beyond = new Map<RetentionPlan, number>();
  const newest = partitions.starts.at(-1);
  for (const start of partitions.starts.toReversed()) {
    await turn();
    for (const [series, bytes] of partitions.open(start).bytesBySeries()) {
      const plan = keeping.planOf(series);
      if (plan === keeping.plan || plan.maxBytes === undefined) continue;
      const sum = (taken.get(plan) ?? 0) + bytes;
      taken.set(plan, sum);
      if (sum > plan.maxBytes && !beyond.has(plan)) beyond.set(plan, start === newest ? start : start + 1);
    }
  }
  return beyond;
}

/** Series by series into another file, which then takes the place of the first; given up when rows come meanwhile. */
async function rewrite(context: MaintenanceContext, start: number, keptBy: KeptOf): Promise<boolean> {
  const { partitions, signal, onDamaged } = context;
  const version = context.versionOf(start);
  const target = partitions.openNew(start);
  const isOvertaken = () => signal.aborted || context.versionOf(start) !== version;
  try {
    target.begin();
    let rows = 0;
    const all = partitions.open(start).series();
    for (const series of all) {
      rows += rewriteSeries(partitions.open(start), target, series, keptBy(series), onDamaged);
      if (rows < ROWS_A_TURN) continue;
      rows = 0;
      await turn();
      if (isOvertaken()) return false;
    }
    if (isOvertaken()) return false;
    finish(target, all.map(keptBy));
    partitions.replace(start, target);
    return true;
  } finally {
    target.discard();
  }
}

function finish(target: Partition, all: readonly Kept[]): void {
  const raw = all.every((kept) => kept.raw) ? 'all' : all.some((kept) => kept.raw) ? 'some' : 'none';
  const tiers = all.reduce((most, kept) => Math.max(most, kept.tiers.length), 0);
  target.setState({ isDense: true, raw, tiers });
  target.commit();
  target.close();
}

/** Until the rest is small enough; the newest stays. */
function removeOldest({ partitions, keeping }: MaintenanceContext): void {
  const { maxBytes = Number.POSITIVE_INFINITY } = keeping.plan;
  while (partitions.count > 1 && partitions.bytes > maxBytes) partitions.remove(partitions.starts[0] ?? 0);
}
