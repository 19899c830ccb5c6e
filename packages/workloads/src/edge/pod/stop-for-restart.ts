/** Ends a pod's containers and not the pod: the next start of the agent runs it again. */
import type { PodRuntime } from '../runtime.ts';
import type { ContainerEntry } from './container-entry.ts';
import type { ContainerRunner } from './container-runner.ts';
import type { Pod } from './types.ts';
import { isRunning } from './view.ts';

export async function stopForRestart(
  runner: ContainerRunner,
  runtime: PodRuntime,
  pod: Pod,
  entries: readonly ContainerEntry[],
  graceSeconds: number,
): Promise<void> {
  const running = (): readonly ContainerEntry[] => entries.filter((entry) => isRunning(entry.view()));
  const stopped = new Set(running().map(({ current }) => current?.id));
  await runner.ended(entries, graceSeconds);
  for (const roles of [['init', 'main', 'ephemeral'], ['sidecar']]) {
    const next = running().filter(({ role }) => roles.includes(role));
    await Promise.all(next.map((entry) => runner.stop(entry, graceSeconds, undefined)));
  }
  // A pod that is never restarted would count as ended: without a record it begins anew.
  if ((pod.spec.restartPolicy ?? 'Always') === 'Always') return;
  for (const { current } of entries) {
    if (current?.exit !== undefined && stopped.has(current.id)) await runtime.remove(current.id);
  }
}
