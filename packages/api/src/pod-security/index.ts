/** The Pod Security Standards: which of their rules a pod breaks, in the words of Kubernetes. Pure. */
import type { PodSpec } from '../generated/types.ts';
import { BASELINE } from './baseline.ts';
import { formatStandard, type Standard } from './policy.ts';
import { RESTRICTED } from './restricted.ts';
import { type Check, type Subject, subjectOf, type Violation } from './subject.ts';

export {
  formatStandard,
  isStricter,
  LABEL_PREFIX,
  type PodSecurityPolicy,
  policyFaults,
  policyOf,
  type Standard,
} from './policy.ts';
export { SAFE_SYSCTLS } from './safe-sysctls.ts';
export type { Violation };

export function violationsOf(metadata: Subject['metadata'], spec: PodSpec, standard: Standard): Violation[] {
  const subject = subjectOf(metadata, spec);
  return checksOf(standard).flatMap((check) => check.find(subject) ?? []);
}

function checksOf({ level, minor }: Standard): Check[] {
  // Beyond every version that rules know of.
  const version = minor ?? Number.MAX_SAFE_INTEGER;
  const isHeld = ({ since = 0, until = Number.POSITIVE_INFINITY }: Check) => since <= version && version < until;
  switch (level) {
    case 'privileged':
      return [];
    case 'baseline':
      return BASELINE.filter(isHeld);
    case 'restricted':
      return [...BASELINE.filter(({ replaced }) => replaced === undefined || version < replaced), ...RESTRICTED].filter(
        isHeld,
      );
  }
}

/** `PodSecurity "baseline:latest": privileged (container "c" must not …), …`. */
export function describeViolations(standard: Standard, violations: readonly Violation[]): string {
  const words = violations.map(({ reason, detail }) => (detail === undefined ? reason : `${reason} (${detail})`));
  return `PodSecurity "${formatStandard(standard)}": ${words.join(', ')}`;
}
