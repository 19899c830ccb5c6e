/** What every write passes before it is validated, in this order. */
import type { AdmissionStep, Admitted, Engine } from '../engine.ts';
import { certificateRequests } from './certificate-requests.ts';
import { claimResize } from './claim-resize.ts';
import { customResourceDefinition } from './custom-resource-definition.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitDefaults, limitRanger } from './limit-ranger/index.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { podSecurity } from './pod-security/index.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota/index.ts';
import type { ReviewedRequest } from './review/review.ts';
import { roleGrants } from './role-grants.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { serviceAddresses } from './service-addresses.ts';

export const BUILTIN_ADMISSION: readonly AdmissionStep[] = [
  namespaceLifecycle,
  nodeRestriction,
  roleGrants,
  certificateRequests,
  serviceAccount,
  priority,
  defaultTolerationSeconds,
  runtimeClass,
  serviceAddresses,
  claimResize,
  customResourceDefinition,
  defaultStorageClass,
  limitDefaults,
  limitRanger,
  podSecurity,
  resourceQuota,
];

/** The steps, the reviewers that may change the object, then the steps that only look. Reviewers that speak against it follow validation. */
export function admit(engine: Engine, admitted: Admitted, review?: ReviewedRequest): void {
  const runSteps = (): void => {
    for (const step of engine.admission) if (step.onlyLooks !== true) step.admit(engine, admitted);
  };
  runSteps();
  review?.mutate(runSteps);
  for (const step of engine.admission) if (step.onlyLooks === true) step.admit(engine, admitted);
}
