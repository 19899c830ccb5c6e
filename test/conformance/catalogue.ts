/** Every requirement, by what it needs: a case, or what is missing. A new case goes into a file of `cases/`. */
import { ACCESS } from './cases/access.ts';
import { CHUNKS } from './cases/chunks.ts';
import { RUNTIME_CLASSES, VOLUMES } from './cases/classes.ts';
import { CONTROLLERS } from './cases/controllers.ts';
import { CUSTOM_RESOURCES } from './cases/custom-resources.ts';
import { DISCOVERY } from './cases/discovery.ts';
import { EVENTS_API } from './cases/events.ts';
import { FIELD_VALIDATION } from './cases/field-validation.ts';
import { GARBAGE } from './cases/garbage.ts';
import { JOBS } from './cases/jobs.ts';
import { KIND_CASES } from './cases/kinds.ts';
import { KUBECTL_CASES } from './cases/kubectl.ts';
import { KUBECTL_POD_CASES } from './cases/kubectl-pods.ts';
import { LIMIT_RANGES } from './cases/limit-range.ts';
import { MIRRORING } from './cases/mirroring.ts';
import { NAMESPACES } from './cases/namespaces.ts';
import { NETWORK } from './cases/network.ts';
import { OBJECTS } from './cases/objects.ts';
import { POD_CASES } from './cases/pods.ts';
import { POLICIES } from './cases/policies.ts';
import { PUBLISHED_SCHEMAS } from './cases/published-schemas.ts';
import { QUOTAS, QUOTAS_WITH_NODES } from './cases/quota.ts';
import { WATCHERS } from './cases/watchers.ts';
import type { Group } from './coverage.ts';
import type { Entry } from './requirement.ts';

export const CATALOGUE: Readonly<Record<Group, readonly Entry[]>> = {
  'Without nodes': [
    ...KIND_CASES,
    ...OBJECTS,
    ...EVENTS_API,
    ...MIRRORING,
    ...NAMESPACES,
    ...WATCHERS,
    ...GARBAGE,
    ...CUSTOM_RESOURCES,
    ...PUBLISHED_SCHEMAS,
    ...FIELD_VALIDATION,
    ...DISCOVERY,
    ...CHUNKS,
    ...ACCESS,
    ...NETWORK,
    ...KUBECTL_CASES,
    ...POLICIES,
    ...RUNTIME_CLASSES,
    ...VOLUMES,
    ...LIMIT_RANGES,
    ...QUOTAS,
  ],
  'With nodes': [...JOBS, ...CONTROLLERS, ...POD_CASES, ...KUBECTL_POD_CASES, ...QUOTAS_WITH_NODES],
};
