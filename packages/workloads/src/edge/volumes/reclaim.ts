/** Removes the data of volumes that are deleted with their claims: here, where it is, and as soon as nobody uses it. */
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { KubeObject, Ref } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Requeue, startInformer, watching } from '@skerry/kube/controller';
import { claimNamesOf } from '../../volumes/claim-names.ts';
import { DATA_FINALIZER, DATA_REMOVED, isProvisioned } from '../../volumes/local-path.ts';
import type { Pod } from '../pod/types.ts';
import { checkedPath } from './host-path.ts';

const PERSISTENT_VOLUMES = { group: '', version: 'v1', resource: 'persistentvolumes' };
/** A pod that still uses the data is on its way out. */
const IN_USE_RECHECK_MS = 5000;

interface Volume extends KubeObject {
  spec?: {
    readonly claimRef?: { readonly namespace?: string; readonly name?: string };
    readonly hostPath?: { readonly path: string };
    readonly persistentVolumeReclaimPolicy?: string;
  };
  status?: { readonly phase?: string; readonly reason?: string };
}

export interface ReclaimOptions {
  /** Of the nearest API, which shows the volumes that are pinned to this node. */
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: Recorder;
  readonly signal: AbortSignal;
  /** Every pod of which something may still run here. */
  readonly pods: () => readonly Pod[];
}

export function volumeReclaimer(options: ReclaimOptions): ControllerSpec {
  const volumes = startInformer<Volume>(options, { gvr: PERSISTENT_VOLUMES });
  return {
    name: 'volume-reclaim',
    watches: [watching(volumes, ({ object }) => (isToGo(object) ? [object.metadata.name ?? ''] : []))],
    reconcile: async (name) => {
      const volume = volumes.cache.get(name);
      return volume !== undefined && isToGo(volume) ? reclaim(options, volume) : undefined;
    },
  };
}

/** Its claim is gone, its object is deleted, and all that keeps it is its data. */
function isToGo(volume: Volume): boolean {
  const { metadata, spec, status } = volume;
  return (
    isProvisioned(volume) &&
    metadata.deletionTimestamp !== undefined &&
    metadata.finalizers?.includes(DATA_FINALIZER) === true &&
    spec?.persistentVolumeReclaimPolicy === 'Delete' &&
    status?.phase === 'Released' &&
    status.reason !== DATA_REMOVED
  );
}

async function reclaim(options: ReclaimOptions, volume: Volume): Promise<Requeue | undefined> {
  const { client, log, recorder } = options;
  const { name = '' } = volume.metadata;
  if (options.pods().some((pod) => uses(pod, volume))) return { afterMs: IN_USE_RECHECK_MS };
  try {
    await rm(pathOf(volume), { recursive: true, force: true });
  } catch (error) {
    recorder.event(
      volume,
      'Warning',
      'VolumeFailedDelete',
      `the data of the volume was not removed: ${messageOf(error)}`,
    );
    throw error;
  }
  log.info({ volume: name }, 'the data of a deleted volume is removed');
  const ref: Ref = { gvr: PERSISTENT_VOLUMES, name };
  const status = { ...volume.status, reason: DATA_REMOVED };
  await client.patch<Volume>(ref, { status }, { type: 'merge', subresource: 'status' });
  return undefined;
}

function uses(pod: Pod, { spec }: Volume): boolean {
  const { namespace, name } = spec?.claimRef ?? {};
  return pod.metadata.namespace === namespace && claimNamesOf(pod).includes(name ?? '');
}

const MADE_NAME = /^pvc-[0-9a-f-]{36}$/;

/** Only what the provisioner has made has such a place: a directory of the volume's own name. */
function pathOf({ metadata: { name = '' }, spec }: Volume): string {
  const { path = '' } = spec?.hostPath ?? {};
  if (!MADE_NAME.test(name) || basename(path) !== name) throw new Error(`${JSON.stringify(path)} is not of our making`);
  return checkedPath(path);
}
