/** What policies and webhooks are: reviewers of requests, who change an object before it is validated or speak against it after. */
import type { Gvk, KubeObject } from '@skerry/api';
import type { Call, Engine } from '../../engine.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** One request as it was sent; for a Scale or an Eviction that is not what the store will keep. */
export interface Review {
  readonly call: Call;
  readonly operation: Operation;
  /** The kind of `object`: Scale at `deployments/scale`. */
  readonly gvk: Gvk;
  /** Empty for what has none; a Namespace is in itself. */
  readonly namespace: string;
  readonly name: string;
  /** Null when something is deleted. Changed by `rewrite` only. */
  readonly object: KubeObject | null;
  /** Null when something is made. */
  readonly old: KubeObject | null;
  /** The CreateOptions, UpdateOptions, PatchOptions or DeleteOptions. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  /** Reviewers are asked once, and those that wish it once more after others changed the object. */
  readonly isReinvocation: boolean;
  /** Said by who changed the object: the built-in steps and the reviewers before it are asked once more. */
  askForReinvocation(): void;
  /** Makes the object what a reviewer wants it to be: decoded, pruned and defaulted like any body. Throws 400 when it is none. */
  rewrite(next: unknown): void;
}

/**
 * Everything is synchronous. Who has to ask somebody throws `AdmissionPending`, keeps the answer in `review.call.answers` by the
 * text of what was asked, and finds it there when the request begins anew; what a request draws by lot it draws the same again.
 */
export interface Reviewer {
  readonly name: string;
  /** Called once when the server starts, to follow objects of the store; disposed with the server. */
  follow?(engine: Engine): Disposable;
  /** Before validation. May change the object, throws a StatusError to refuse. */
  mutate?(engine: Engine, review: Review): void;
  /** After validation: throws a StatusError to refuse. */
  validate?(engine: Engine, review: Review): void;
}
