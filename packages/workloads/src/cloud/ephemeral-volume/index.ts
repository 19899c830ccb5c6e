/** Generic ephemeral volumes: a claim for each, made for its pod and gone with it. */
import type { PersistentVolumeClaim, Pod, Volume } from '@skerry/api/types';
import type { Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, watching } from '@skerry/kube/controller';
import { claimNameOf } from '../../volumes/claim-names.ts';
import type { CloudContext } from '../context.ts';
import { controllerReference, isControlledBy } from '../owners.ts';
import { isActive } from '../pod-facts.ts';
import { PERSISTENT_VOLUME_CLAIMS, PODS } from '../resources.ts';
import { createIfMissing } from '../writes.ts';

const POD = { group: '', version: 'v1', kind: 'Pod' } as const;

interface World extends CloudContext {
  readonly pods: Informer<Pod>;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly events: Recorder;
}

export function ephemeralVolumeController(context: CloudContext): ControllerSpec {
  const { informers } = context;
  const world: World = {
    ...context,
    pods: informers.informer<Pod>({ gvr: PODS }),
    claims: informers.informer<PersistentVolumeClaim>({ gvr: PERSISTENT_VOLUME_CLAIMS }),
    events: context.recorder('ephemeral_volume'),
  };
  return {
    name: 'ephemeral-volume',
    watches: [
      watching(world.pods, ({ type, object }) =>
        type === 'delete' || ephemeralVolumes(object).length === 0 ? [] : [keyOf(object)],
      ),
      // A claim that is deleted under its pod is made anew.
      watching(world.claims, ({ type, object }) => (type === 'delete' ? ownersOf(object) : [])),
    ],
    reconcile: async (key) => {
      await reconcile(world, key);
      return undefined;
    },
  };
}

function ephemeralVolumes({ spec }: Pod): readonly Volume[] {
  return (spec?.volumes ?? []).filter(({ ephemeral }) => ephemeral?.volumeClaimTemplate !== undefined);
}

function ownersOf({ metadata }: PersistentVolumeClaim): string[] {
  const owners = (metadata.ownerReferences ?? []).filter(({ kind }) => kind === POD.kind);
  return owners.map(({ name }) => `${metadata.namespace}/${name}`);
}

async function reconcile(world: World, key: string): Promise<void> {
  const pod = world.pods.cache.get(key);
  if (pod === undefined || !isActive(pod)) return;
  for (const volume of ephemeralVolumes(pod)) await ensureClaim(world, pod, volume);
}

async function ensureClaim({ client, claims, events }: World, pod: Pod, volume: Volume): Promise<void> {
  const { namespace = '' } = pod.metadata;
  const name = claimNameOf(pod, volume) ?? '';
  const known = claims.cache.get(`${namespace}/${name}`);
  if (known === undefined) {
    await createIfMissing(client, PERSISTENT_VOLUME_CLAIMS, claimFor(pod, volume, name));
  } else if (!isControlledBy(known, pod)) {
    const message = `ephemeral volume ${volume.name}: PVC ${namespace}/${name} was not created for the pod`;
    events.event(pod, 'Warning', 'ClaimConflict', message);
  }
}

function claimFor(pod: Pod, { ephemeral }: Volume, name: string): PersistentVolumeClaim {
  const { metadata: { labels, annotations } = {}, spec } = ephemeral?.volumeClaimTemplate ?? {};
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      namespace: pod.metadata.namespace ?? '',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(pod, POD)],
    },
    ...(spec === undefined ? {} : { spec }),
  };
}
