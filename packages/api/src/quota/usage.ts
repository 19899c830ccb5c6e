/** What an object takes of the quotas of its namespace, by the names that quotas have for it. */
import type { PersistentVolumeClaim, Pod, Service } from '../generated/types.ts';
import type { KubeObject } from '../object.ts';
import type { Quantity } from '../quantity.ts';
import { type Amounts, amountsIn, larger, plus, things } from './amounts.ts';
import { podLimits, podRequests } from './pod-amounts.ts';

export interface CountedKind {
  readonly group: string;
  readonly resource: string;
}

const STORAGE_CLASS_SUFFIX = '.storageclass.storage.k8s.io';
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';
const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'];
const HUGE_PAGES = 'hugepages-';

/** Kinds of the core group that quotas also count by their plain name. */
const PLAIN_COUNTS = new Set(['configmaps', 'secrets', 'replicationcontrollers', 'resourcequotas']);

/** `count/pods`, `count/deployments.apps`. */
export function countName({ group, resource }: CountedKind): string {
  return group === '' ? `count/${resource}` : `count/${resource}.${group}`;
}

/** True for kinds of which every object takes the same. */
export function isOnlyCounted({ group, resource }: CountedKind): boolean {
  return group !== '' || !Object.hasOwn(SPECIAL, resource);
}

/** What the object takes at the moment `now`. */
export function quotaUsage(of: CountedKind, object: KubeObject, now: number): Amounts {
  const usage = new Map<string, Quantity>([[countName(of), things(1)]]);
  if (of.group !== '') return usage;
  if (PLAIN_COUNTS.has(of.resource)) usage.set(of.resource, things(1));
  const special = Object.hasOwn(SPECIAL, of.resource) ? SPECIAL[of.resource] : undefined;
  return special === undefined ? usage : plus(usage, special.usage(object, now));
}

/** Those of the names that objects of this kind take of. */
export function countedNames(of: CountedKind, names: Iterable<string>): string[] {
  const special = of.group === '' && Object.hasOwn(SPECIAL, of.resource) ? SPECIAL[of.resource] : undefined;
  const isPlain = of.group === '' && PLAIN_COUNTS.has(of.resource);
  return [...names].filter(
    (name) => name === countName(of) || (isPlain && name === of.resource) || special?.counts(name) === true,
  );
}

interface Special {
  counts(name: string): boolean;
  usage(object: KubeObject, now: number): Amounts;
}

const SPECIAL: Readonly<Record<string, Special>> = {
  pods: { counts: isPodName, usage: (pod, now) => podUsage(pod as Pod, now) },
  services: { counts: isServiceName, usage: (service) => serviceUsage(service as Service) },
  persistentvolumeclaims: { counts: isClaimName, usage: (claim) => claimUsage(claim as PersistentVolumeClaim) },
};

const POD_NAMES = new Set(['pods', ...COMPUTE.flatMap((name) => [name, `requests.${name}`, `limits.${name}`])]);

function isPodName(name: string): boolean {
  if (POD_NAMES.has(name) || name.startsWith(HUGE_PAGES)) return true;
  if (!name.startsWith('requests.')) return false;
  const asked = name.slice('requests.'.length);
  return asked.startsWith(HUGE_PAGES) || isExtended(asked);
}

/** A resource that somebody outside of Kubernetes named. */
function isExtended(name: string): boolean {
  return name.includes('/') && !name.includes('kubernetes.io/');
}

function podUsage(pod: Pod, now: number): Amounts {
  if (isOver(pod, now)) return new Map();
  const requests = podRequests(pod);
  const limits = podLimits(pod);
  const usage = new Map<string, Quantity>([['pods', things(1)]]);
  for (const [name, quantity] of requests) {
    if (COMPUTE.includes(name) || name.startsWith(HUGE_PAGES))
      usage.set(name, quantity).set(`requests.${name}`, quantity);
    else if (isExtended(name)) usage.set(`requests.${name}`, quantity);
  }
  for (const name of COMPUTE) {
    const quantity = limits.get(name);
    if (quantity !== undefined) usage.set(`limits.${name}`, quantity);
  }
  return usage;
}

/** A pod that has ended takes nothing, nor does one whose node let its time to end pass. */
function isOver({ metadata, status }: Pod, now: number): boolean {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return true;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return false;
  return now > Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

const SERVICE_NAMES = new Set(['services', 'services.nodeports', 'services.loadbalancers']);

function isServiceName(name: string): boolean {
  return SERVICE_NAMES.has(name);
}

function serviceUsage({ spec }: Service): Amounts {
  const ports = spec?.ports ?? [];
  const isBalanced = spec?.type === 'LoadBalancer';
  const hasAll = spec?.type === 'NodePort' || (isBalanced && spec.allocateLoadBalancerNodePorts !== false);
  const asked = isBalanced ? ports.filter(({ nodePort }) => Boolean(nodePort)).length : 0;
  return new Map([
    ['services', things(1)],
    ['services.nodeports', things(hasAll ? ports.length : asked)],
    ['services.loadbalancers', things(isBalanced ? 1 : 0)],
  ]);
}

const CLAIM_NAMES = ['persistentvolumeclaims', 'requests.storage'];

function isClaimName(name: string): boolean {
  return CLAIM_NAMES.some((one) => name === one || name.endsWith(`${STORAGE_CLASS_SUFFIX}/${one}`));
}

function claimUsage({ metadata, spec, status }: PersistentVolumeClaim): Amounts {
  const className = metadata.annotations?.[CLASS_ANNOTATION] ?? spec?.storageClassName ?? '';
  const classed = (name: string) => (className === '' ? [name] : [name, `${className}${STORAGE_CLASS_SUFFIX}/${name}`]);
  // A claim that could not grow still holds what was set aside for it.
  const requests = amountsIn(spec?.resources?.requests);
  const size = larger(requests, amountsIn(status?.allocatedResources)).get('storage');
  const usage = new Map<string, Quantity>();
  for (const name of classed('persistentvolumeclaims')) usage.set(name, things(1));
  if (size !== undefined) for (const name of classed('requests.storage')) usage.set(name, size);
  return usage;
}
