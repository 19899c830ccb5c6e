/** Which objects a quota is about: all, or those within its scopes. */
import type {
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
} from '../generated/types.ts';
import type { KubeObject } from '../object.ts';
import { qosClass } from '../validation/strategy.ts';
import type { CountedKind } from './usage.ts';

export function isScoped(quota: ResourceQuota): boolean {
  return selectorsOf(quota).length > 0;
}

/** True when the object is within every scope of the quota. */
export function isInScope(quota: ResourceQuota, of: CountedKind, object: KubeObject): boolean {
  return selectorsOf(quota).every((selector) => isSelected(selector, of, object));
}

function selectorsOf({ spec }: ResourceQuota): readonly ScopedResourceSelectorRequirement[] {
  const plain = (spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' }) as const);
  return [...plain, ...(spec?.scopeSelector?.matchExpressions ?? [])];
}

function isSelected(selector: ScopedResourceSelectorRequirement, of: CountedKind, object: KubeObject): boolean {
  if (of.group !== '') return false;
  if (of.resource === 'pods') return isPodSelected(selector, object as Pod);
  if (of.resource === 'persistentvolumeclaims') return isClaimSelected(selector, object as PersistentVolumeClaim);
  return false;
}

function isPodSelected(selector: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  const { scopeName } = selector;
  switch (scopeName) {
    case 'Terminating':
      return isTerminating(pod);
    case 'NotTerminating':
      return !isTerminating(pod);
    case 'BestEffort':
      return qosClass(pod) === 'BestEffort';
    case 'NotBestEffort':
      return qosClass(pod) !== 'BestEffort';
    case 'PriorityClass':
      return accepts(selector, [pod.spec?.priorityClassName]);
    case 'CrossNamespacePodAffinity':
      return reachesOtherNamespaces(pod.spec);
    case 'VolumeAttributesClass':
      return false;
    default:
      return scopeName satisfies never;
  }
}

/** A claim that moves from one class to another is of both. */
function isClaimSelected(
  selector: ScopedResourceSelectorRequirement,
  { spec, status }: PersistentVolumeClaim,
): boolean {
  if (selector.scopeName !== 'VolumeAttributesClass') return false;
  const { currentVolumeAttributesClassName: current, modifyVolumeStatus } = status ?? {};
  return accepts(selector, [
    spec?.volumeAttributesClassName,
    current,
    modifyVolumeStatus?.targetVolumeAttributesClassName,
  ]);
}

/** Whether one of the names satisfies the selector; none is a name like another. */
function accepts(
  { operator, values = [] }: ScopedResourceSelectorRequirement,
  names: readonly (string | undefined)[],
): boolean {
  const given = names.filter((name) => name !== undefined && name !== '');
  switch (operator) {
    case 'Exists':
      return given.length > 0;
    case 'DoesNotExist':
      return given.length === 0;
    case 'In':
      return given.some((name) => values.includes(name ?? ''));
    case 'NotIn':
      return given.length === 0 || given.some((name) => !values.includes(name ?? ''));
    default:
      return operator satisfies never;
  }
}

function isTerminating({ spec }: Pod): boolean {
  return (spec?.activeDeadlineSeconds ?? -1) >= 0;
}

function reachesOtherNamespaces(spec: PodSpec | undefined): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  const terms = [podAffinity, podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
  ]);
  return terms.some(
    ({ namespaces = [], namespaceSelector }) => namespaces.length > 0 || namespaceSelector !== undefined,
  );
}
