/** What a node tells of itself in events: that it began, and how its conditions changed. In a kubelet's words; pure. */
import type { KubeObject } from '@skerry/api';
import type { NodeCondition } from './conditions.ts';

export interface NodeEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** By condition: the reason when it becomes true, and when it becomes false. */
const REASONS: Readonly<Record<string, readonly [whenTrue: string, whenFalse: string]>> = {
  Ready: ['NodeReady', 'NodeNotReady'],
  MemoryPressure: ['NodeHasInsufficientMemory', 'NodeHasSufficientMemory'],
  DiskPressure: ['NodeHasDiskPressure', 'NodeHasNoDiskPressure'],
  PIDPressure: ['NodeHasInsufficientPID', 'NodeHasSufficientPID'],
  ContainerRuntimeUnhealthy: ['ContainerRuntimeSilent', 'ContainerRuntimeAnswers'],
};

export function eventsOf(
  node: string,
  before: readonly NodeCondition[],
  after: readonly NodeCondition[],
): readonly NodeEvent[] {
  return after.flatMap(({ type, status }) => {
    const reasons = REASONS[type];
    if (reasons === undefined || before.find((one) => one.type === type)?.status === status) return [];
    const reason = reasons[status === 'True' ? 0 : 1];
    return [{ type: 'Normal', reason, message: `Node ${node} status is now: ${reason}` }];
  });
}

/** When the agent begins: as after a reboot when the boot is another one than the node's object knows. */
export function startEvents(node: string, bootBefore: string | undefined, boot: string): readonly NodeEvent[] {
  const start: NodeEvent = { type: 'Normal', reason: 'Starting', message: 'Starting kubelet.' };
  if (bootBefore === undefined || bootBefore === boot) return [start];
  return [start, { type: 'Warning', reason: 'Rebooted', message: `Node ${node} has been rebooted, boot id: ${boot}` }];
}

/** Events about nodes carry the node's name as its uid: whoever describes a node looks for that. */
export function nodeReference(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name } };
}
