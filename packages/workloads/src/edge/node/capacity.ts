/** What a node has, and what of it is for pods. Pure. */
import { type Amount, unitsOf } from '../eviction/thresholds.ts';
import type { HostUsage } from './host-usage.ts';

export interface Machine {
  readonly usage: Pick<HostUsage, 'memoryTotal' | 'diskTotal'>;
  readonly cpus: number;
  readonly maxPods: number;
}

/** For the system, and what eviction keeps free; shares are of the capacity. */
export interface Reserved {
  readonly cpuMillis?: number;
  readonly memory?: readonly Amount[];
  readonly disk?: readonly Amount[];
}

export function capacityOf(
  { usage: { memoryTotal, diskTotal }, cpus, maxPods }: Machine,
  extended: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    cpu: String(cpus),
    memory: `${Math.floor(memoryTotal / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(diskTotal / 1024)}Ki`,
    pods: String(maxPods),
    ...extended,
  };
}

export function allocatableOf(
  capacity: Readonly<Record<string, string>>,
  { cpuMillis: reservedMillis = 0, memory, disk }: Reserved,
): Record<string, string> {
  const cpuMillis = Number(capacity['cpu']) * 1000 - reservedMillis;
  return {
    ...capacity,
    cpu: cpuMillis % 1000 === 0 ? String(cpuMillis / 1000) : `${cpuMillis}m`,
    memory: without(capacity['memory'], memory),
    'ephemeral-storage': without(capacity['ephemeral-storage'], disk),
  };
}

function without(kibibytes: string | undefined, amounts: readonly Amount[] = []): string {
  const total = Number.parseInt(kibibytes ?? '0', 10);
  const taken = amounts.reduce((sum, amount) => sum + Math.ceil(unitsOf(amount, total * 1024) / 1024), 0);
  return `${Math.max(0, total - taken)}Ki`;
}
