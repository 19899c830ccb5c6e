/** What is out of the bounds of a namespace, in the words of Kubernetes. Pure. */
import { formatQuantity, type Quantity, quantityToNumber } from '@skerry/api/quantity';
import { type Amounts, amountsIn, podLimits, podRequests } from '@skerry/api/quota';
import type { Container, LimitRangeItem, PersistentVolumeClaim, Pod } from '@skerry/api/types';

export function podFaults(pod: Pod, items: readonly LimitRangeItem[]): string[] {
  return items.flatMap((item) => {
    if (item.type === 'Container') {
      const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
      return containers.flatMap((container) => boundFaults(item, askedBy(container)));
    }
    if (item.type === 'Pod') return boundFaults(item, { requests: podRequests(pod), limits: podLimits(pod) });
    return [];
  });
}

/** Claims have requests only. */
export function claimFaults({ spec }: PersistentVolumeClaim, items: readonly LimitRangeItem[]): string[] {
  const requests = amountsIn(spec?.resources?.requests);
  return items
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap(({ type, min, max }) => [
      ...each(min, (name, bound) => tooSmall({ name, type, bound }, requests.get(name), undefined)),
      ...each(max, (name, bound) => tooLarge({ name, type, bound }, requests.get(name))),
    ]);
}

interface Asked {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

interface Bound {
  readonly name: string;
  readonly type: string;
  readonly bound: Quantity;
}

function askedBy({ resources }: Container): Asked {
  return { requests: amountsIn(resources?.requests), limits: amountsIn(resources?.limits) };
}

function boundFaults({ type, min, max, maxLimitRequestRatio }: LimitRangeItem, { requests, limits }: Asked): string[] {
  return [
    ...each(min, (name, bound) => tooSmall({ name, type, bound }, requests.get(name), limits.get(name))),
    ...each(max, (name, bound) => {
      const limit = limits.get(name);
      if (limit === undefined) return `${most({ name, type, bound })}.  No limit is specified`;
      if (limit.nano > bound.nano) return `${most({ name, type, bound })}, but limit is ${formatQuantity(limit)}`;
      const request = requests.get(name);
      return request === undefined ? undefined : tooLarge({ name, type, bound }, request);
    }),
    ...each(maxLimitRequestRatio, (name, bound) => tooFar({ name, type, bound }, requests.get(name), limits.get(name))),
  ];
}

function each(
  list: Readonly<Record<string, string>> | undefined,
  faultOf: (name: string, bound: Quantity) => string | undefined,
): string[] {
  const bounds = [...amountsIn(list)].sort(([left], [right]) => (left < right ? -1 : 1));
  return bounds.flatMap(([name, bound]) => faultOf(name, bound) ?? []);
}

function tooSmall(of: Bound, request: Quantity | undefined, limit: Quantity | undefined): string | undefined {
  const least = `minimum ${of.name} usage per ${of.type} is ${formatQuantity(of.bound)}`;
  if (request === undefined) return `${least}.  No request is specified`;
  if (request.nano < of.bound.nano) return `${least}, but request is ${formatQuantity(request)}`;
  if (limit !== undefined && limit.nano < of.bound.nano) return `${least}, but limit is ${formatQuantity(limit)}`;
  return undefined;
}

function tooLarge(of: Bound, request: Quantity | undefined): string | undefined {
  if (request === undefined) return `${most(of)}.  No request is specified`;
  return request.nano > of.bound.nano ? `${most(of)}, but request is ${formatQuantity(request)}` : undefined;
}

function most({ name, type, bound }: Bound): string {
  return `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`;
}

function tooFar(
  { name, type, bound }: Bound,
  request: Quantity | undefined,
  limit: Quantity | undefined,
): string | undefined {
  const ratio = `${name} max limit to request ratio per ${type} is ${formatQuantity(bound)}`;
  if (request === undefined || request.nano === 0n) return `${ratio}, but no request is specified or request is 0`;
  if (limit === undefined || limit.nano === 0n) return `${ratio}, but no limit is specified or limit is 0`;
  const observed = Number(limit.nano) / Number(request.nano);
  if (observed <= quantityToNumber(formatQuantity(bound))) return undefined;
  return `${ratio}, but provided ratio is ${observed.toFixed(6)}`;
}
