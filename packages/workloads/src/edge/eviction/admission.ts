/** Which new pods a node under pressure still takes. Pure. */
import type { Pod } from '../pod/types.ts';
import { isBestEffort, isCritical } from './pod-usage.ts';
import { PRESSURES, type Pressure } from './pressure.ts';

const MEMORY_TAINT = 'node.kubernetes.io/memory-pressure';

/** Why the pod may not run here now; undefined when it may. */
export function refusalUnder(pressures: ReadonlySet<Pressure>, pod: Pod): string | undefined {
  if (pressures.size === 0 || isCritical(pod)) return undefined;
  const isMemoryOnly = pressures.size === 1 && pressures.has('MemoryPressure');
  if (isMemoryOnly && (!isBestEffort(pod) || toleratesMemoryPressure(pod))) return undefined;
  const names = PRESSURES.filter((one) => pressures.has(one));
  return `The node had condition: [${names.join(', ')}]. `;
}

function toleratesMemoryPressure({ spec: { tolerations = [] } }: Pod): boolean {
  return tolerations.some(
    ({ key = '', operator = 'Equal', value = '', effect = '' }) =>
      (effect === '' || effect === 'NoSchedule') &&
      (key === MEMORY_TAINT || (key === '' && operator === 'Exists')) &&
      (operator === 'Exists' || value === ''),
  );
}
