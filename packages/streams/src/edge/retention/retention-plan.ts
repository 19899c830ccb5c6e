/** What several Retentions of a node ask of its one store. Pure. */
import type { RetentionSpec } from '../../kinds/retention.ts';
import { periodMs } from '../../road/edge/route-settings.ts';
import type { RetentionPlan } from '../../store/index.ts';

/** A Retention that the store cannot keep to; the message says why. */
class RetentionProblem extends Error {
  override readonly name = 'RetentionProblem';
}

const DEFAULT_KEEP = '7d';

/** The tiers that the store has. */
const TIERS = { 1000: 'secondFor', 60000: 'minuteFor', 3600000: 'hourFor' } as const;

/** Throws a RetentionProblem. */
export function planOf({ keep = DEFAULT_KEEP, tiers = [], maxBytes }: RetentionSpec): RetentionPlan {
  const plan: { -readonly [Part in keyof RetentionPlan]: RetentionPlan[Part] } = { rawFor: lengthOf(keep) };
  for (const { step, keep: kept } of tiers) {
    const tier = TIERS[lengthOf(step) as keyof typeof TIERS];
    if (tier === undefined) throw new RetentionProblem(`there is no tier of ${step}; there are 1s, 1m and 1h`);
    plan[tier] = lengthOf(kept);
  }
  return maxBytes === undefined ? plan : { ...plan, maxBytes };
}

function lengthOf(period: string): number {
  const length = periodMs(period);
  if (length === undefined) throw new RetentionProblem(`"${period}" is no length of time`);
  return length;
}

/** The store is one: what any of them wants kept is kept. */
export function longest(plans: readonly RetentionPlan[]): RetentionPlan {
  const all: { -readonly [Part in keyof RetentionPlan]: RetentionPlan[Part] } = {};
  for (const part of ['rawFor', 'secondFor', 'minuteFor', 'hourFor'] as const) {
    const lengths = plans.flatMap((plan) => plan[part] ?? []);
    all[part] = lengths.length === 0 ? 0 : Math.max(...lengths);
  }
  // Without a bound for one of them there is none.
  const bounds = plans.map(({ maxBytes }) => maxBytes);
  if (bounds.includes(undefined)) return all;
  return { ...all, maxBytes: bounds.reduce<number>((sum, bound) => sum + (bound ?? 0), 0) };
}
