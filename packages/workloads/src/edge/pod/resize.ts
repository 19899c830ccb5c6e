/** Containers whose resources were changed while they run. Pure. */
import { compareQuantity } from '@skerry/api/quantity';
import type { Container, PodCondition, Resources } from './types.ts';
import type { ContainerView, PodResize } from './view.ts';

/** What can be changed without making the container anew. */
const RESIZABLE = ['cpu', 'memory'] as const;

/** It runs with other resources than its spec says now. */
export function needsResize({ container, current, allocated }: ContainerView): boolean {
  if (current === undefined || current.exit !== undefined || allocated === undefined) return false;
  return changedResources(allocated, container.resources).length > 0;
}

/** Its own policy says for each resource whether it bears a change. */
export function needsRestart(container: Container, allocated: Resources): boolean {
  const changed = changedResources(allocated, container.resources);
  const policies = container.resizePolicy ?? [];
  return policies.some(
    ({ resourceName, restartPolicy }) => restartPolicy === 'RestartContainer' && changed.includes(resourceName),
  );
}

function changedResources(before: Resources, after: Resources = {}): readonly string[] {
  return RESIZABLE.filter((name) =>
    (['requests', 'limits'] as const).some((list) => {
      const [one, other] = [before[list]?.[name], after[list]?.[name]];
      return (one === undefined) !== (other === undefined) || compareQuantity(one, other) !== 0;
    }),
  );
}

type ResizeFact = Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>;

/** As a kubelet shows them: only while there is something to say. */
export function resizeConditions({ pending, isBusy, problem }: PodResize): readonly ResizeFact[] {
  if (pending !== undefined) return [{ type: 'PodResizePending', status: 'True', ...pending }];
  if (problem !== undefined) {
    return [{ type: 'PodResizeInProgress', status: 'True', reason: 'Error', message: problem }];
  }
  return isBusy ? [{ type: 'PodResizeInProgress', status: 'True' }] : [];
}
