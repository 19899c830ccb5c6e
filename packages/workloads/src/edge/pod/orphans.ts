/** Containers whose pod is no longer in the API: it was deleted while the agent was away. They end with their own grace. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@skerry/base';
import type { ContainerSnapshot } from '../runtime.ts';
import type { FoundPod, NodeContext, PodContext } from './context.ts';
import { Deadline } from './stop-container.ts';

/** Empties `found`. Each pod is ended on its own; one that cannot be is left for the next start. */
export async function sweepOrphans(
  context: NodeContext,
  found: Map<string, FoundPod>,
  signal: AbortSignal,
): Promise<void> {
  const pods = [...found.entries()];
  found.clear();
  await Promise.all(
    pods.map(async ([uid, { runtime, snapshots }]) => {
      try {
        await endOrphan({ ...context, runtime }, uid, snapshots, signal);
      } catch (error) {
        context.log.warn({ uid, error: messageOf(error) }, 'containers of a deleted pod not ended');
      }
    }),
  );
}

async function endOrphan(
  context: PodContext,
  uid: string,
  snapshots: readonly ContainerSnapshot[],
  signal: AbortSignal,
): Promise<void> {
  const { runtime, log, directory, logDirectory } = context;
  const [first] = snapshots;
  if (first === undefined) return;
  const { namespace, pod } = first.labels;
  log.info({ pod: `${namespace}/${pod}`, uid }, 'pod was deleted while the agent was away');
  await Promise.all(snapshots.filter(({ exit }) => exit === undefined).map((one) => endContainer(context, one)));
  if (signal.aborted) return;
  for (const { id } of snapshots) await runtime.remove(id);
  await runtime.removePod(uid);
  await rm(join(directory, uid), { recursive: true, force: true });
  await rm(join(logDirectory, `${namespace}_${pod}_${uid}`), { recursive: true, force: true });
}

async function endContainer({ runtime, clock }: PodContext, { id, labels }: ContainerSnapshot): Promise<void> {
  const ended = Promise.withResolvers<void>();
  using _changes = runtime.onChange((change) => {
    if (change.id === id && change.exit !== undefined) ended.resolve();
  });
  const deadline = new Deadline(clock, labels.graceSeconds);
  await runtime.terminate(id);
  await Promise.race([ended.promise, deadline.passed]);
  deadline.cancel();
  await runtime.kill(id);
}
