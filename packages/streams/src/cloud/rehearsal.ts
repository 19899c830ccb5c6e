/** Trials of rules that wait to be admitted: admission answers at once, so it is asked again when a trial has come to something. */
import { createHash } from 'node:crypto';
import { StatusError } from '@skerry/api';
import { messageOf } from '@skerry/base';
import type { Trial, TrialOutcome } from '../trial/trial.ts';
import { TooManyTrials, TrialLimit, type Trials } from '../trial/trials.ts';

/** A `limit` is what the trial took too much of, in words. */
export type Verdict = TrialOutcome | { readonly limit: string };

export interface Rehearsal {
  /** Or, while it is being tried, `ready`: when to ask again. Throws a StatusError when it cannot be tried now. */
  verdict(trial: Trial): Verdict | { readonly ready: Promise<void> };
}

/** Of so many trials it is known what they came to. */
const MAX_KNOWN = 256;

type Known = { readonly verdict: Verdict } | { readonly failure: StatusError };

export function createRehearsal(trials: Pick<Trials, 'run'>): Rehearsal {
  const known = new Map<string, Known>();
  const running = new Map<string, Promise<void>>();
  const keep = (key: string, came: Known) => {
    known.set(key, came);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
  };
  const start = (key: string, trial: Trial): Promise<void> => {
    const ready = trials
      .run(trial)
      .then((verdict) => keep(key, { verdict }))
      .catch((error: unknown) => keep(key, knownOf(error)))
      .finally(() => running.delete(key));
    running.set(key, ready);
    return ready;
  };
  return {
    verdict: (trial) => {
      const key = createHash('sha256').update(JSON.stringify(trial)).digest('base64');
      const came = known.get(key);
      if (came === undefined) return { ready: running.get(key) ?? start(key, trial) };
      // What had no time or no process has them, maybe, when somebody asks anew.
      if ('failure' in came || 'limit' in came.verdict) known.delete(key);
      if ('failure' in came) throw came.failure;
      return came.verdict;
    },
  };
}

function knownOf(error: unknown): Known {
  if (error instanceof TrialLimit) return { verdict: { limit: error.message } };
  return { failure: refusalOf(error) };
}

/** What whoever asked for a trial that was not made is told. */
export function refusalOf(error: unknown): StatusError {
  if (error instanceof TrialLimit)
    return new StatusError(400, 'BadRequest', `the rule cannot be tried: ${error.message}`);
  if (error instanceof TooManyTrials)
    return new StatusError(429, 'TooManyRequests', error.message, { retryAfterSeconds: 1 });
  return new StatusError(500, 'InternalError', `the rule was not tried: ${messageOf(error)}`, undefined, {
    cause: error,
  });
}
