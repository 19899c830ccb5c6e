/** A pod as the checks look at it, and the words they share. */
import type { Container, PodSpec } from '../generated/types.ts';
import type { ObjectMeta } from '../object.ts';

export interface Subject {
  readonly metadata: Pick<ObjectMeta, 'annotations'>;
  readonly spec: PodSpec;
  /** Of all sorts, in the order they start. */
  readonly containers: readonly Container[];
}

/** One rule that a pod breaks. */
export interface Violation {
  readonly reason: string;
  readonly detail?: string;
}

export interface Check {
  /** The first minor version that has this form of the check. */
  readonly since?: number;
  /** The first that has not any more. */
  readonly until?: number;
  /** From this minor version on the restricted profile has a stricter form of its own. */
  readonly replaced?: number;
  readonly find: (subject: Subject) => Violation | undefined;
}

export function subjectOf(metadata: Subject['metadata'], spec: PodSpec): Subject {
  const { initContainers, containers, ephemeralContainers } = spec;
  // Pods are looked at before it is known that they have any.
  const lists = [initContainers, containers, ephemeralContainers] as readonly (Container[] | undefined)[];
  return { metadata, spec, containers: lists.flatMap((list) => list ?? []) };
}

export function namesOf(containers: readonly Container[]): string[] {
  return containers.map(({ name }) => name);
}

/** `container "a"`, `containers "a", "b"`. */
export function several(noun: string, names: readonly string[]): string {
  return `${noun}${names.length === 1 ? '' : 's'} ${quoted(names)}`;
}

export function quoted(names: Iterable<string>): string {
  return [...names].map((name) => `"${name}"`).join(', ');
}

export function sortedSet(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

export function isWindows({ spec }: Subject): boolean {
  return spec.os?.name === 'windows';
}
