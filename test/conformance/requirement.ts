/** What a case of the suite is: a published requirement, what it states, and how we look whether a server meets it. */
import type { Lab } from './lab.ts';

export interface Requirement {
  /** As Kubernetes publishes it; listed in names.txt. */
  readonly name: string;
  /** What it demands, in our words. */
  readonly states: string;
  readonly run: (lab: Lab) => Promise<void>;
}

/** A name whose feature does not exist yet. Whoever builds it puts a case in its place. */
export interface Missing {
  readonly name: string;
  readonly missing: string;
  /** A case that waits for the feature: once it passes, the suite fails until it is taken among the others. */
  readonly waiting?: Requirement;
}

export type Entry = Requirement | Missing;

export function requirement(name: string, states: string, run: Requirement['run']): Requirement {
  return { name, states, run };
}

export function missing(name: string, what: string): Missing {
  return { name, missing: what };
}

/** A case that cannot pass yet. */
export function notYet(what: string, waiting: Requirement): Missing {
  return { name: waiting.name, missing: what, waiting };
}
