/** Validation of the built-in kinds: what a type alone does not say. */
import type { Gvk } from '../../names.ts';
import type { KubeObject } from '../../object.ts';
import type { FieldError } from '../../schema.ts';
import { accessRules } from './access.ts';
import { certificateRules } from './certificate.ts';
import type { Faults } from './checks.ts';
import { clusterRules } from './cluster.ts';
import { configRules } from './config.ts';
import { networkRules } from './network.ts';
import { checkPod, checkPodCreate } from './pod.ts';
import { checkPodUpdate } from './pod-update.ts';
import type { KindRules } from './rules.ts';
import { serviceNetworkRules } from './service-network.ts';
import { workloadRules } from './workloads.ts';

const rules: ReadonlyMap<string, KindRules> = new Map(
  Object.entries({
    '/Pod': { check: checkPod, create: checkPodCreate, update: checkPodUpdate },
    ...workloadRules,
    ...networkRules,
    ...serviceNetworkRules,
    ...configRules,
    ...accessRules,
    ...clusterRules,
    ...certificateRules,
  }),
);

export interface ValidateOptions {
  /** The door of the write: `binding`, `ephemeralcontainers`, `resize`, `status` … */
  readonly subresource?: string;
}

/**
 * What is wrong with a defaulted object of a built-in kind, or with its change from `old`. Metadata is `validateMeta`'s.
 * Custom kinds have no rules here. Writes to `status` are not checked: the rest is the old object.
 */
export function validateKind(
  gvk: Pick<Gvk, 'group' | 'kind'>,
  object: KubeObject,
  old?: KubeObject,
  options: ValidateOptions = {},
): FieldError[] {
  const { subresource = '' } = options;
  const found = rules.get(`${gvk.group}/${gvk.kind}`);
  if (found === undefined || subresource === 'status') return [];
  const faults: Faults = [];
  found.check(faults, object);
  if (old === undefined) found.create?.(faults, object);
  else found.update?.(faults, object, old, subresource);
  return faults;
}
