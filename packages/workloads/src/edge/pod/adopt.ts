/** Takes over the containers that an earlier agent started for a pod. */
import type { ContainerSnapshot } from '../runtime.ts';
import type { ContainerEntry } from './container-entry.ts';
import type { ContainerRunner } from './container-runner.ts';
import type { Pod } from './types.ts';

/** True when one of them runs, and so all that the pod's containers share is there. */
export function adopt(
  { status }: Pod,
  entries: readonly ContainerEntry[],
  snapshots: readonly ContainerSnapshot[],
  runner: ContainerRunner,
): boolean {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  for (const snapshot of snapshots.toSorted((one, other) => one.labels.attempt - other.labels.attempt)) {
    const entry = entries.find(({ container }) => container.name === snapshot.labels.container);
    if (entry !== undefined) runner.drop(entry, entry.accept(snapshot));
  }
  let isRunning = false;
  for (const entry of entries) {
    const { current } = entry;
    if (current === undefined) continue;
    const known = statuses.find(({ containerID }) => containerID?.endsWith(`//${current.id}`) === true);
    entry.imageId = known?.imageID ?? entry.container.image;
    if (current.exit !== undefined) {
      runner.onExit(entry, current);
      continue;
    }
    isRunning = true;
    entry.isStarted = known?.started === true;
    entry.isReady = known?.ready === true;
    entry.allocated = known?.resources ?? entry.container.resources ?? {};
    runner.probe(entry, current);
  }
  return isRunning;
}
