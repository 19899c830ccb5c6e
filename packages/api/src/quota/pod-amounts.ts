/** What a pod asks for and may take as a whole (KEP-753, KEP-2837): its containers, its init containers, its overhead. */
import type { Container, Pod } from '../generated/types.ts';
import { type Amounts, amountsIn, larger, NONE, only, plus } from './amounts.ts';

export function podRequests({ spec }: Pod): Amounts {
  const summed = ofContainers(spec, 'requests');
  const stated = new Map([...summed, ...amountsIn(spec?.resources?.requests)]);
  return plus(stated, amountsIn(spec?.overhead));
}

/** The overhead raises limits that there are; it makes none. */
export function podLimits({ spec }: Pod): Amounts {
  const summed = ofContainers(spec, 'limits');
  const stated = new Map([...summed, ...amountsIn(spec?.resources?.limits)]);
  const limited = [...stated].filter(([, { nano }]) => nano !== 0n).map(([name]) => name);
  return plus(stated, only(amountsIn(spec?.overhead), limited));
}

/**
 * Containers and sidecars run together. An init container runs with the sidecars started before it; the pod needs room for the
 * largest of these moments.
 */
function ofContainers(spec: Pod['spec'], list: 'requests' | 'limits'): Amounts {
  const amountsOf = ({ resources }: Container) => amountsIn(resources?.[list]);
  let sidecars = NONE;
  let peak = NONE;
  for (const container of spec?.initContainers ?? []) {
    const own = amountsOf(container);
    if (container.restartPolicy === 'Always') sidecars = plus(sidecars, own);
    peak = larger(peak, container.restartPolicy === 'Always' ? sidecars : plus(sidecars, own));
  }
  let running = sidecars;
  for (const container of spec?.containers ?? []) running = plus(running, amountsOf(container));
  return larger(running, peak);
}
