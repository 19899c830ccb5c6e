/** How many pods one metric asks for. Pure; missing and unready pods are guessed so that they dampen, never drive, a change. */
import type { Pod } from '@skerry/api/types';
import { hasEnded, isTerminating, readyCondition } from '../../endpoints/pod-state.ts';
import { parseTime } from '../timestamps.ts';
import type { Requests, Sample } from './usage-samples.ts';

/** While a pod starts, its processor says nothing of its load. */
const CPU_INITIALIZATION_MS = 5 * 60_000;
/** A pod that was never ready within this time of its start has not been ready yet. */
const INITIAL_READINESS_MS = 30_000;

export type Target =
  | { readonly type: 'Utilization'; readonly percent: number; readonly requests: Requests }
  | { readonly type: 'AverageValue'; readonly milli: number };

/** How far the ratio of what is to what is wanted may be off before anything is done. */
export interface Tolerance {
  readonly up: number;
  readonly down: number;
}

export interface ProposalFacts {
  readonly current: number;
  readonly pods: readonly Pod[];
  readonly samples: ReadonlyMap<string, Sample>;
  readonly target: Target;
  readonly isCpu: boolean;
  readonly tolerance: Tolerance;
  readonly now: number;
}

/** What the pods that count use on average. */
export interface Average {
  readonly milli: number;
  readonly percent?: number;
}

export type Proposal = { readonly replicas: number; readonly average: Average } | { readonly problem: string };

type Usage = ReadonlyMap<string, number>;

export function propose(facts: ProposalFacts): Proposal {
  const { current, pods, samples, target, tolerance } = facts;
  if (pods.length === 0) return { problem: 'no pods returned by selector while calculating replica count' };
  if (samples.size === 0) return { problem: 'no metrics returned from resource metrics API' };
  const { counted, unready, missing } = groupPods(facts);
  if (counted.size === 0) return { problem: 'did not receive metrics for targeted pods (pods might be unready)' };
  if (target.type === 'Utilization' && 'problem' in target.requests) return { problem: target.requests.problem };
  const { ratio, average } = ratioOf(counted, target);
  const guessed = withGuesses({ counted, unready, missing, ratio, target });
  if (guessed.size === counted.size) {
    return { average, replicas: isWithin(ratio, tolerance) ? current : Math.ceil(ratio * counted.size) };
  }
  const { ratio: damped } = ratioOf(guessed, target);
  const turned = (ratio < 1 && damped > 1) || (ratio > 1 && damped < 1);
  if (turned || isWithin(damped, tolerance)) return { average, replicas: current };
  const replicas = Math.ceil(damped * guessed.size);
  // The guesses have turned it after all: more pods for less load, or fewer for more.
  const isBackward = (damped < 1 && replicas > current) || (damped > 1 && replicas < current);
  return { average, replicas: isBackward ? current : replicas };
}

interface Groups {
  readonly counted: Usage;
  readonly unready: readonly string[];
  readonly missing: readonly string[];
}

function groupPods(facts: ProposalFacts): Groups {
  const counted = new Map<string, number>();
  const unready: string[] = [];
  const missing: string[] = [];
  for (const pod of facts.pods) {
    const { name = '' } = pod.metadata;
    const sample = facts.samples.get(name);
    if (isTerminating(pod) || hasEnded(pod)) continue;
    if (pod.status?.phase === 'Pending') unready.push(name);
    else if (sample === undefined) missing.push(name);
    else if (facts.isCpu && isStarting(pod, sample, facts.now)) unready.push(name);
    else counted.set(name, sample.milli);
  }
  return { counted, unready, missing };
}

function isStarting({ status }: Pod, sample: Sample, now: number): boolean {
  const condition = readyCondition(status);
  const startedAt = parseTime(status?.startTime);
  const since = parseTime(condition?.lastTransitionTime) ?? 0;
  if (condition === undefined || startedAt === undefined) return true;
  if (startedAt + CPU_INITIALIZATION_MS > now)
    return condition.status === 'False' || sample.at < since + sample.windowMs;
  // It is unready now and has never been otherwise.
  return condition.status === 'False' && startedAt + INITIAL_READINESS_MS > since;
}

function ratioOf(usage: Usage, target: Target): { readonly ratio: number; readonly average: Average } {
  const total = sum(usage.values());
  const milli = Math.trunc(total / usage.size);
  if (target.type === 'AverageValue') return { ratio: milli / target.milli, average: { milli } };
  const requested = sum(usage.keys().map((name) => requestOf(name, target)));
  const percent = requested === 0 ? 0 : Math.trunc((total * 100) / requested);
  return { ratio: percent / target.percent, average: { milli, percent } };
}

interface Guessing extends Groups {
  readonly ratio: number;
  readonly target: Target;
}

/** On the way down missing pods use all that they may, on the way up nothing; unready ones count only on the way up. */
function withGuesses({ counted, unready, missing, ratio, target }: Guessing): Usage {
  const guesses = new Map(counted);
  if (ratio > 1) for (const name of [...unready, ...missing]) guesses.set(name, 0);
  if (ratio < 1) for (const name of missing) guesses.set(name, fullUse(name, target));
  return guesses;
}

function fullUse(name: string, target: Target): number {
  if (target.type === 'AverageValue') return target.milli;
  return Math.trunc((requestOf(name, target) * Math.max(100, target.percent)) / 100);
}

function requestOf(name: string, { requests }: Extract<Target, { type: 'Utilization' }>): number {
  return 'byPod' in requests ? (requests.byPod.get(name) ?? 0) : 0;
}

function isWithin(ratio: number, { up, down }: Tolerance): boolean {
  return ratio >= 1 - down && ratio <= 1 + up;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const each of numbers) total += each;
  return total;
}
