/** The pure parts of a write's lifecycle: what a new object starts as, what a write may touch, when a spec has changed. */
import { at, isObject, type JsonObject, jsonEqual, objectAt, objectsAt } from '../json.ts';
import type { KubeObject } from '../object.ts';
import { compareQuantity, parseQuantity } from '../quantity.ts';
import type { ResourceRow } from '../resource.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const QOS_RESOURCES = ['cpu', 'memory'] as const;

/** The quality of service of a pod, from what its containers request and are limited to. */
export function qosClass(pod: unknown): QosClass {
  const containers = [...objectsAt(pod, 'spec', 'containers'), ...objectsAt(pod, 'spec', 'initContainers')];
  if (!containers.some(isBounded)) return 'BestEffort';
  return containers.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

function isBounded(container: JsonObject): boolean {
  return QOS_RESOURCES.some(
    (name) => isPositive(amount(container, 'requests', name)) || isPositive(amount(container, 'limits', name)),
  );
}

function isGuaranteed(container: JsonObject): boolean {
  return QOS_RESOURCES.every((name) => {
    const limit = amount(container, 'limits', name);
    const request = amount(container, 'requests', name);
    return isPositive(limit) && (request === undefined || compareQuantity(request, limit) === 0);
  });
}

function amount(container: JsonObject, side: string, name: string): unknown {
  return at(container, 'resources', side, name);
}

function isPositive(value: unknown): boolean {
  return (parseQuantity(value)?.nano ?? 0n) > 0n;
}

type StrategyRow = Pick<ResourceRow, 'gvk' | 'subresources' | 'tracksGeneration'>;

/** Whether a write raises `metadata.generation`: anything but metadata and status differs. */
export function generationChanged(row: StrategyRow, before: KubeObject, after: KubeObject): boolean {
  if (!row.tracksGeneration) return false;
  const ignored = row.subresources.includes('status') ? ['metadata', 'status'] : ['metadata'];
  const rest = (object: KubeObject) => ({
    ...object,
    ...Object.fromEntries(ignored.map((field) => [field, undefined])),
  });
  return !jsonEqual(rest(before), rest(after));
}

/** The first state of an object that a client creates; changed in place. */
export function prepareForCreate(row: StrategyRow, object: KubeObject): void {
  const { group, kind } = row.gvk;
  switch (`${group}/${kind}`) {
    case '/Pod':
      object['status'] = { phase: 'Pending', qosClass: qosClass(object) };
      return;
    case '/Namespace':
      object['spec'] = { ...objectAt(object, 'spec'), finalizers: ['kubernetes'] };
      object['status'] = { phase: 'Active' };
      return;
    case '/Node':
      // A node registers itself with its first status in the same request.
      return;
    default:
      if (row.subresources.includes('status')) delete object['status'];
  }
}

/** Puts back what this endpoint does not write; changed in place. */
export function prepareForUpdate(row: StrategyRow, object: KubeObject, old: KubeObject, subresource = ''): void {
  if (subresource === 'status') {
    for (const field of Object.keys(object)) if (!STATUS_WRITES.includes(field)) restore(object, old, field);
    for (const field of Object.keys(old)) if (!STATUS_WRITES.includes(field)) restore(object, old, field);
  } else if (row.subresources.includes('status')) restore(object, old, 'status');
}

const STATUS_WRITES: readonly string[] = ['apiVersion', 'kind', 'metadata', 'status'];

function restore(object: KubeObject, old: KubeObject, field: string): void {
  if (old[field] === undefined) delete object[field];
  else object[field] = old[field];
}

/** Top-level fields that an apply at this endpoint neither merges nor owns. */
export function ignoredFields(row: StrategyRow, subresource = ''): string[] {
  if (subresource === 'status') return ['spec'];
  return row.subresources.includes('status') ? ['status'] : [];
}

/** True for a pod that has ended for good. */
export function isPodDone(pod: unknown): boolean {
  const phase = isObject(pod) ? at(pod, 'status', 'phase') : undefined;
  return phase === 'Succeeded' || phase === 'Failed';
}
