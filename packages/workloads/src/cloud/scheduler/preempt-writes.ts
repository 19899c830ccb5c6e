/** Carrying a preemption out: the node is promised first, then the victims end. */
import { type Gvr, isStatus } from '@skerry/api';
import type { Pod } from '@skerry/api/types';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import { keyOf } from '@skerry/kube/controller';
import { formatTime } from '../timestamps.ts';
import { deleteIfThere, refOf } from '../writes.ts';
import type { Preemption } from './preempt.ts';

const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' };

export interface PreemptionWrites {
  readonly client: Client;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export async function evictForPreemption(
  { client, recorder, clock, log, signal }: PreemptionWrites,
  pod: Pod,
  { node, victims }: Preemption,
): Promise<void> {
  const inStatus = { type: 'strategic', subresource: 'status', signal } as const;
  try {
    const promise = { metadata: { uid: pod.metadata.uid }, status: { nominatedNodeName: node } };
    await client.patch(refOf(PODS, pod), promise, inStatus);
    for (const victim of victims) {
      const { uid } = victim.metadata;
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: 'default-scheduler: preempting to accommodate a higher priority pod',
        lastTransitionTime: formatTime(clock.now()),
      };
      await client.patch(refOf(PODS, victim), { metadata: { uid }, status: { conditions: [condition] } }, inStatus);
      await deleteIfThere(client, refOf(PODS, victim), { signal, ...(uid === undefined ? {} : { uid }) });
      recorder.event(victim, 'Normal', 'Preempted', `Preempted by pod ${pod.metadata.uid} on node ${node}`);
    }
  } catch (error) {
    // The pod is still pending: it is decided anew, from what is there then.
    if (!signal.aborted && !isStatus(error, 'NotFound', 'Conflict'))
      log.warn({ pod: keyOf(pod), node, error: messageOf(error) }, 'preemption failed');
  }
}
