/** What every write passes before it is validated, in this order. */
import type { AdmissionStep, Admitted, Engine } from '../engine.ts';
import { certificateRequests } from './certificate-requests.ts';
import { claimResize } from './claim-resize.ts';
import { customResourceDefinition } from './custom-resource-definition.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger/index.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { priority } from './priority.ts';
import type { ReviewedRequest } from './review/review.ts';
import { resourceQuota } from './resource-quota/index.ts';
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
  limitRanger,
  resourceQuota,
];

/** The built-in steps, then the reviewers that may change the object. Those that only speak against it follow validation. */
export function admit(engine: Engine, admitted: Admitted, review?: ReviewedRequest): void {
  const runSteps = (): void => {
    for (const step of engine.admission) step.admit(engine, admitted);
  };
  runSteps();
  review?.mutate(runSteps);
}
