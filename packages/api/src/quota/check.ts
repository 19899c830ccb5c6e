/** Whether what an object takes fits into a quota, and why not, in the words of Kubernetes. */
import type { Container, Pod, ResourceQuota } from '../generated/types.ts';
import type { KubeObject } from '../object.ts';
import { type Amounts, amountsIn, describeAmounts, only, plus } from './amounts.ts';
import { type CountedKind, countedNames } from './usage.ts';

export interface Fit {
  readonly quota: ResourceQuota;
  /** What all objects of its scope take, the old version of this one included. */
  readonly used: Amounts;
  /** What the write adds. */
  readonly requested: Amounts;
}

/** Why the write does not fit; undefined when it does. What shrinks always fits. */
export function exceeds({ quota, used, requested }: Fit): string | undefined {
  const hard = amountsIn(quota.spec?.hard);
  const total = plus(used, requested);
  const exceeded = [...requested]
    .filter(([, { nano }]) => nano > 0n)
    .map(([name]) => name)
    .filter((name) => (total.get(name)?.nano ?? 0n) > (hard.get(name)?.nano ?? total.get(name)?.nano ?? 0n));
  if (exceeded.length === 0) return undefined;
  const [asked, taken, limit] = [requested, used, hard].map((amounts) => describeAmounts(only(amounts, exceeded)));
  return `exceeded quota: ${quota.metadata.name}, requested: ${asked}, used: ${taken}, limited: ${limit}`;
}

const COMPUTE_NAME = /^(?:(requests|limits)\.)?(cpu|memory)$/;

/** Why the object cannot be counted: a quota of cpu or memory wants every container of a pod to name it. */
export function uncountable(quota: ResourceQuota, of: CountedKind, object: KubeObject): string | undefined {
  if (of.group !== '' || of.resource !== 'pods') return undefined;
  const missing = countedNames(of, Object.keys(quota.spec?.hard ?? {}))
    .sort()
    .flatMap((name) => {
      const containers = containersWithout(object as Pod, name);
      return containers.length === 0 ? [] : [`${name} for: ${containers.join(',')}`];
    });
  return missing.length === 0 ? undefined : `failed quota: ${quota.metadata.name}: must specify ${missing.join('; ')}`;
}

function containersWithout({ spec }: Pod, name: string): string[] {
  const match = COMPUTE_NAME.exec(name);
  if (match === null) return [];
  const list = match[1] === 'limits' ? 'limits' : 'requests';
  const resource = match[2] ?? '';
  if (spec?.resources?.[list]?.[resource] !== undefined) return [];
  const lacks = ({ resources }: Container) => resources?.[list]?.[resource] === undefined;
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return [...new Set(containers.filter(lacks).map((container) => container.name))].sort();
}
