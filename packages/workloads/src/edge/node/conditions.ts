/** The node's conditions in a kubelet's words. Pure. */
import { PRESSURES, type Pressure } from '../eviction/pressure.ts';

export interface NodeCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly lastHeartbeatTime?: string;
  readonly lastTransitionTime?: string;
  readonly reason?: string;
  readonly message?: string;
}

/** A condition before it is known since when it holds. */
export type NodeFact = Omit<NodeCondition, 'lastHeartbeatTime' | 'lastTransitionTime'>;

/** `known` are the conditions as they stand: the time of the last transition is theirs while nothing changes. */
export function nodeConditions(
  pressures: ReadonlySet<Pressure>,
  ready: { readonly isReady: boolean; readonly message: string },
  more: readonly NodeFact[],
  known: readonly NodeCondition[],
  now: number,
): NodeCondition[] {
  const facts: readonly NodeFact[] = [
    ...PRESSURES.map((type) => pressureFact(type, pressures.has(type))),
    {
      type: 'Ready',
      status: ready.isReady ? 'True' : 'False',
      reason: ready.isReady ? 'KubeletReady' : 'KubeletNotReady',
      message: ready.message,
    },
    ...more,
  ];
  const time = seconds(now);
  return facts.map((fact) => {
    const before = known.find(({ type }) => type === fact.type);
    const since = before?.status === fact.status ? before.lastTransitionTime : undefined;
    return { ...fact, lastHeartbeatTime: time, lastTransitionTime: since ?? time };
  });
}

/**
 * By name: container runtimes that have come to this node, and those of them that are silent now. The node stays ready without
 * them, since processes run on. The condition is named as node-problem-detector names it.
 */
export function runtimeHealth(known: readonly string[], silent: readonly string[]): readonly NodeFact[] {
  const type = 'ContainerRuntimeUnhealthy';
  if (known.length === 0) return [];
  if (silent.length === 0) {
    return [{ type, status: 'False', reason: 'ContainerRuntimeIsHealthy', message: `${known.join(', ')} answers` }];
  }
  const message = `${silent.join(', ')} does not answer: its containers run on unwatched, and new pods wait or go elsewhere`;
  return [{ type, status: 'True', reason: 'ContainerRuntimeSilent', message }];
}

interface Words {
  readonly short: readonly [reason: string, message: string];
  readonly well: readonly [reason: string, message: string];
}

const WORDS: Readonly<Record<Pressure, Words>> = {
  MemoryPressure: {
    short: ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
    well: ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  },
  DiskPressure: {
    short: ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
    well: ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  },
  PIDPressure: {
    short: ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
    well: ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  },
};

function pressureFact(type: Pressure, isUnder: boolean): NodeFact {
  const [reason, message] = isUnder ? WORDS[type].short : WORDS[type].well;
  return { type, status: isUnder ? 'True' : 'False', reason, message };
}

function seconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
