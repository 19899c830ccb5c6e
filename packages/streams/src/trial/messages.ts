/** What the processes that try rules say; they hear of nothing but Trials. */
import type { TrialOutcome } from './trial.ts';

export type FromTrial =
  | { readonly type: 'ready' }
  | { readonly type: 'outcome'; readonly outcome: TrialOutcome }
  | { readonly type: 'failed'; readonly message: string };
