/** What is on disk of pods that are over: their directories hold Secrets and tokens, so nothing of them may stay. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isStatus } from '@skerry/api';
import { type BackoffPolicy, backoffDelay, messageOf } from '@skerry/base';
import { memoryDirectory } from '../volumes/pod-volumes.ts';
import type { NodeContext } from './context.ts';
import type { Pod } from './types.ts';

/** Of the API's pods, and of static ones. */
const UID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})$/;
const PODS = { group: '', version: 'v1', resource: 'pods' } as const;
const RETRY: BackoffPolicy = { baseMs: 500, capMs: 60_000 };

/** Removes what pods left that nobody knows: they were deleted while the agent was away. */
export async function sweepLeftovers(context: NodeContext, isKnown: (uid: string) => boolean): Promise<void> {
  const logs = await logsByUid(context);
  const uids = new Set([...(await entriesOf(context.directory)).filter((name) => UID.test(name)), ...logs.keys()]);
  if (uids.values().every(isKnown)) return;
  const held = await uidsWithContainers(context);
  for (const uid of uids) {
    // Asked only now: a pod may have come while the directories were read.
    if (isKnown(uid) || held.has(uid)) continue;
    context.log.info({ uid }, 'what a deleted pod left is removed');
    try {
      await removeAll(context, uid, logs.get(uid) ?? []);
    } catch (error) {
      context.log.warn({ uid, error: messageOf(error) }, 'what a deleted pod left is not removed yet');
    }
  }
}

/**
 * Of a pod that has ended and is to go: it may be cleared away already and only be held by somebody's finalizer, so its
 * status is not touched. Tried until it succeeds: nobody else lets the object go.
 */
export async function clearEndedPod(context: NodeContext, { metadata }: Pod, signal: AbortSignal): Promise<void> {
  const { client, clock, log } = context;
  const { namespace = '', name = '', uid = '' } = metadata;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await removeAll(context, uid, [`${namespace}_${name}_${uid}`]);
      await client.delete({ gvr: PODS, namespace, name }, { gracePeriodSeconds: 0, uid, signal });
      return;
    } catch (error) {
      if (isStatus(error, 'NotFound', 'Conflict')) return;
      log.warn({ pod: `${namespace}/${name}`, attempt, error: messageOf(error) }, 'pod not cleared away yet');
      await clock.sleep(backoffDelay(RETRY, attempt) + RETRY.baseMs, signal).catch(() => {});
    }
  }
}

async function removeAll(context: NodeContext, uid: string, logs: readonly string[]): Promise<void> {
  const { runtimes, directory, logDirectory } = context;
  await rm(join(directory, uid), { recursive: true, force: true });
  await rm(memoryDirectory(uid), { recursive: true, force: true });
  for (const log of logs) await rm(join(logDirectory, log), { recursive: true, force: true });
  for (const runtime of runtimes.known) await runtime.removePod(uid);
}

async function logsByUid({ logDirectory }: NodeContext): Promise<Map<string, string[]>> {
  const logs = new Map<string, string[]>();
  for (const name of await entriesOf(logDirectory)) {
    const [_namespace, _pod, uid = '', ...more] = name.split('_');
    if (UID.test(uid) && more.length === 0) logs.set(uid, [...(logs.get(uid) ?? []), name]);
  }
  return logs;
}

/** Containers that could not be ended are left for the next start, which needs to find the rest as well. */
async function uidsWithContainers({ runtimes }: NodeContext): Promise<Set<string>> {
  const lists = await Promise.all(runtimes.known.map((runtime) => runtime.list()));
  return new Set(lists.flat().map(({ labels }) => labels.uid));
}

async function entriesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
