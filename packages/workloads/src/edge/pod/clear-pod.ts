/** The last of a pod of which nothing runs any more: records, files and logs on the node, then its object. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isStatus, type Ref } from '@skerry/api';
import { type BackoffPolicy, backoffDelay, type Logger, messageOf } from '@skerry/base';
import type { ContainerEntry } from './container-entry.ts';
import type { PodContext } from './context.ts';
import { podLogDirectory } from './start-container.ts';
import type { Pod } from './types.ts';

const FINISH_RETRY: BackoffPolicy = { baseMs: 500, capMs: 60_000 };
const DELETE_RETRY: BackoffPolicy = { baseMs: 500, capMs: 30_000 };

/** What cannot be cleared away now is tried again: an object that stays Terminating for a passing fault would stay so for ever. */
export async function inTheEnd(
  { clock }: PodContext,
  log: Logger,
  signal: AbortSignal,
  finish: () => Promise<void>,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      return await finish();
    } catch (error) {
      log.warn({ attempt, error: messageOf(error) }, 'pod not cleaned up yet');
      await clock.sleep(backoffDelay(FINISH_RETRY, attempt), signal).catch(() => {});
    }
  }
}

export async function clearPod(context: PodContext, pod: Pod, entries: readonly ContainerEntry[]): Promise<void> {
  const { runtime, directory } = context;
  const { uid = '' } = pod.metadata;
  for (const { current, previous } of entries) {
    for (const snapshot of [current, previous]) {
      if (snapshot !== undefined && !snapshot.isPhantom) await runtime.remove(snapshot.id);
    }
  }
  await rm(join(directory, uid), { recursive: true, force: true });
  await rm(podLogDirectory(context, pod), { recursive: true, force: true });
  await runtime.removePod(uid);
}

/** Tried until the API takes it, or knows nothing of this very pod. */
export async function deleteObject(
  { client, clock, log }: PodContext,
  ref: Ref,
  uid: string,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await client.delete(ref, { gracePeriodSeconds: 0, uid, signal });
      return;
    } catch (error) {
      if (isStatus(error, 'NotFound', 'Conflict')) return;
      log.debug({ pod: `${ref.namespace}/${ref.name}`, attempt, error: messageOf(error) }, 'pod not deleted yet');
      await clock.sleep(backoffDelay(DELETE_RETRY, attempt) + DELETE_RETRY.baseMs, signal);
    }
  }
}
