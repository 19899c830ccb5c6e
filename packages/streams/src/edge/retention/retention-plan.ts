/** What several Retentions ask of one store: that of a node, or of the cloud. Pure. */
import { filled } from '../../engine/rule/parameters.ts';
import type { Retention, RetentionSpec } from '../../kinds/retention.ts';
import { matcherOf, periodMs } from '../../road/edge/route-settings.ts';
import type { Labels, OwnRetention, RetentionPlan } from '../../store/contract.ts';

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

/** A Retention as a store keeps to it. */
export interface Keeper {
  readonly namespace: string;
  readonly plan: RetentionPlan;
  readonly matches: (labels: Labels) => boolean;
}

/** Throws a RetentionProblem. */
export function keeperOf({ metadata, spec }: Retention): Keeper {
  return { namespace: metadata.namespace ?? '', plan: planOf(spec), matches: matcherOf(spec) };
}

/** Without any bound. */
const EVERYTHING: RetentionPlan = {};

/**
 * A Retention that cannot be read, as a store keeps to it: nothing of what it means goes. Where what it means cannot be read either, that
 * is its whole namespace. Undefined node: in the cloud.
 */
export function holderOf({ metadata, spec }: Retention, node: string | undefined): Keeper {
  return { namespace: metadata.namespace ?? '', plan: EVERYTHING, matches: readableMatcher(spec, node) };
}

function readableMatcher({ series, parameters, nodeParameters }: RetentionSpec, node: string | undefined) {
  const meaning = {
    ...(series && { series }),
    ...(parameters && { parameters }),
    ...(nodeParameters && { nodeParameters }),
  };
  try {
    return matcherOf(filled(meaning, node));
  } catch {
    return () => true;
  }
}

/** What the status says of a Retention that cannot be read. */
export function heldBecause(problem: string): string {
  return `${problem}; until it can be read, nothing that it means is deleted`;
}

/** A series is kept as those want that match it; undefined where none does. */
export function ownRetention(keepers: readonly Keeper[]): OwnRetention {
  const plans = new Map<string, RetentionPlan>();
  return (labels) => {
    const own = [...keepers.keys()].filter((at) => isMeant(keepers[at], labels));
    if (own.length === 0) return undefined;
    const key = own.join(' ');
    const plan = plans.get(key) ?? longest(own.flatMap((at) => keepers[at]?.plan ?? []));
    plans.set(key, plan);
    return plan;
  };
}

function isMeant(keeper: Keeper | undefined, labels: Labels): boolean {
  return keeper !== undefined && keeper.namespace === labels['namespace'] && keeper.matches(labels);
}

/** What any of them wants kept is kept. */
export function longest(plans: readonly RetentionPlan[]): RetentionPlan {
  if (plans.includes(EVERYTHING)) return EVERYTHING;
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
