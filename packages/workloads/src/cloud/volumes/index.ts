/** Volumes and claims: who has whom, which claims are provisioned, and what becomes of a volume whose claim is gone. */
import { isStatus } from '@skerry/api';
import { compareQuantity } from '@skerry/api/quantity';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@skerry/api/types';
import type { Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, watching } from '@skerry/kube/controller';
import { claimNamesOf } from '../../volumes/claim-names.ts';
import { DATA_FINALIZER, DATA_REMOVED, isProvisioned, LOCAL_PATH } from '../../volumes/local-path.ts';
import { isSame } from '../canonical.ts';
import type { CloudContext } from '../context.ts';
import { hasEnded } from '../pod-facts.ts';
import { NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES } from '../resources.ts';
import { deleteIfThere, refOf } from '../writes.ts';
import { classProblem, localVolume, nodeOfVolume } from './local-path.ts';
import { classOf, defaultClass, findVolume, isClaimedBy, SELECTED_NODE, waitsForConsumer } from './match.ts';

/** Holds a claim until no pod uses it. */
const PROTECTION = 'kubernetes.io/pvc-protection';
const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
const BY_CLAIM = 'claim';

interface World extends CloudContext {
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly events: Recorder;
}

/** Keys of claims are `namespace/name`, keys of volumes are names. */
export function volumeController(context: CloudContext): ControllerSpec {
  const world = openWorld(context);
  const { claims, volumes, classes, pods, nodes } = world;
  return {
    name: 'persistentvolume-binder',
    watches: [
      watching(claims, ({ type, object }) => [
        ...(type === 'delete' ? [] : [keyOf(object)]),
        ...(object.spec?.volumeName ? [object.spec.volumeName] : []),
      ]),
      watching(volumes, ({ object }) => [keyOf(object), ...claimsFor(world, object)]),
      watching(classes, () => unbound(world).map(keyOf)),
      // A claim that goes waits for the last pod that uses it.
      watching(pods, ({ object }) => claimKeysOf(object)),
      // The data of a node that is gone for good is not waited for.
      watching(nodes, ({ type }) => (type === 'delete' ? leavingVolumes(world).map(keyOf) : [])),
    ],
    reconcile: async (key) => {
      await (key.includes('/') ? syncClaim(world, key) : syncVolume(world, key));
      return undefined;
    },
    // One at a time: two claims must not be given the same volume.
    concurrency: 1,
  };
}

function openWorld(context: CloudContext): World {
  const { informers } = context;
  const pods = informers.informer<Pod>({ gvr: PODS });
  pods.addIndex(BY_CLAIM, claimKeysOf);
  return {
    ...context,
    claims: informers.informer<PersistentVolumeClaim>({ gvr: PERSISTENT_VOLUME_CLAIMS }),
    volumes: informers.informer<PersistentVolume>({ gvr: PERSISTENT_VOLUMES }),
    classes: informers.informer<StorageClass>({ gvr: STORAGE_CLASSES }),
    pods,
    nodes: informers.informer<Node>({ gvr: NODES }),
    events: context.recorder('persistentvolume-controller'),
  };
}

function claimKeysOf(pod: Pod): string[] {
  return claimNamesOf(pod).map((name) => `${pod.metadata.namespace}/${name}`);
}

function leavingVolumes({ volumes }: World): readonly PersistentVolume[] {
  return volumes.cache.list().filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
}

function unbound({ claims }: World): readonly PersistentVolumeClaim[] {
  return claims.cache.list().filter(({ spec }) => !spec?.volumeName);
}

/** The claim that has the volume; for a free one, whoever waits for one. */
function claimsFor(world: World, { spec }: PersistentVolume): string[] {
  const { claimRef } = spec ?? {};
  return claimRef === undefined ? unbound(world).map(keyOf) : [`${claimRef.namespace}/${claimRef.name}`];
}

async function syncClaim(world: World, key: string): Promise<void> {
  const claim = world.claims.cache.get(key);
  if (claim === undefined) return;
  if (claim.metadata.deletionTimestamp !== undefined) return release(world, claim);
  if (claim.metadata.finalizers?.includes(PROTECTION) !== true) {
    return patchClaim(world, claim, { metadata: { finalizers: [...(claim.metadata.finalizers ?? []), PROTECTION] } });
  }
  const { volumeName = '' } = claim.spec ?? {};
  const volume = volumeName === '' ? await chooseVolume(world, claim) : world.volumes.cache.get(volumeName);
  if (volume !== undefined) return bind(world, claim, volume);
  if (volumeName !== '' && claim.metadata.annotations?.[BIND_COMPLETED] === 'yes') return lose(world, claim);
}

async function release(world: World, claim: PersistentVolumeClaim): Promise<void> {
  const { finalizers = [] } = claim.metadata;
  const users = world.pods.cache.byIndex(BY_CLAIM, keyOf(claim)).filter((pod) => !hasEnded(pod));
  if (users.length > 0 || !finalizers.includes(PROTECTION)) return;
  await patchClaim(world, claim, { metadata: { finalizers: finalizers.filter((each) => each !== PROTECTION) } });
}

/** A volume for a claim that has none yet; undefined while it must wait. */
async function chooseVolume(world: World, claim: PersistentVolumeClaim): Promise<PersistentVolume | undefined> {
  const { classes, volumes, nodes, events } = world;
  if (claim.spec?.storageClassName === undefined) {
    const name = defaultClass(classes.cache.list())?.metadata.name;
    if (name !== undefined) {
      await patchClaim(world, claim, { spec: { storageClassName: name } });
      return undefined;
    }
  }
  const storageClass = classes.cache.get(classOf(claim));
  const selected = claim.metadata.annotations?.[SELECTED_NODE];
  const node = selected === undefined ? undefined : nodes.cache.get(selected);
  if (waitsForConsumer(storageClass) && node === undefined) {
    const message = 'waiting for first consumer to be created before binding';
    events.event(claim, 'Normal', 'WaitForFirstConsumer', message);
    return undefined;
  }
  const found = findVolume(claim, volumes.cache.list(), node);
  if (found !== undefined) return found;
  if (storageClass?.provisioner === LOCAL_PATH && node !== undefined)
    return provision(world, claim, { storageClass, node });
  const message = 'no persistent volumes available for this claim and no storage class is set';
  events.event(claim, 'Normal', 'FailedBinding', message);
  return undefined;
}

interface Place {
  readonly storageClass: StorageClass;
  readonly node: Node;
}

async function provision(
  world: World,
  claim: PersistentVolumeClaim,
  place: Place,
): Promise<PersistentVolume | undefined> {
  const { client, events } = world;
  const problem = classProblem(place.storageClass);
  if (problem !== undefined) {
    events.event(claim, 'Warning', 'ProvisioningFailed', problem);
    return undefined;
  }
  const volume = localVolume(claim, place.storageClass, place.node);
  try {
    const made = await client.create<PersistentVolume>(PERSISTENT_VOLUMES, volume);
    events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${made.metadata.name}`);
    return made;
  } catch (error) {
    // Its name is the claim's uid: it was made before, and the cache does not show it yet.
    if (isStatus(error, 'AlreadyExists')) return client.get<PersistentVolume>(refOf(PERSISTENT_VOLUMES, volume));
    throw error;
  }
}

/** The volume's side first: a volume that names its claim is given to nobody else. */
async function bind(world: World, claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
  const { client } = world;
  const { namespace, name, uid } = claim.metadata;
  if (volume.spec?.claimRef !== undefined && !isClaimedBy(volume, claim)) return lose(world, claim);
  if (volume.spec?.claimRef?.uid !== uid) {
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    const { resourceVersion } = volume.metadata;
    const patch = { metadata: { resourceVersion }, spec: { claimRef } };
    await client.patch(refOf(PERSISTENT_VOLUMES, volume), patch, { type: 'merge' });
  }
  const { name: volumeName } = volume.metadata;
  if (claim.spec?.volumeName !== volumeName || claim.metadata.annotations?.[BIND_COMPLETED] !== 'yes') {
    const metadata = { annotations: { [BIND_COMPLETED]: 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' } };
    await patchClaim(world, claim, { metadata, spec: { volumeName } });
  }
  const { accessModes } = volume.spec ?? {};
  const capacity = await expand(world, claim, volume);
  await patchStatus(world, claim, { phase: 'Bound', accessModes, capacity });
}

/** A directory has no size of its own, so a larger one is only a larger number; of other volumes nobody here can say so. */
async function expand(world: World, claim: PersistentVolumeClaim, volume: PersistentVolume) {
  const { capacity } = volume.spec ?? {};
  const wanted = claim.spec?.resources?.requests?.['storage'] ?? '0';
  if (compareQuantity(wanted, capacity?.['storage'] ?? '0') <= 0) return capacity;
  if (!isProvisioned(volume)) {
    const message = `volume ${volume.metadata.name} cannot be expanded by anybody here`;
    world.events.event(claim, 'Warning', 'VolumeResizeFailed', message);
    return capacity;
  }
  const larger = { ...capacity, storage: wanted };
  await world.client.patch(refOf(PERSISTENT_VOLUMES, volume), { spec: { capacity: larger } }, { type: 'merge' });
  world.events.event(claim, 'Normal', 'VolumeResizeSuccessful', `volume ${volume.metadata.name} is ${wanted} now`);
  return larger;
}

async function lose(world: World, claim: PersistentVolumeClaim): Promise<void> {
  if (claim.status?.phase === 'Lost') return;
  const message = `Bound claim has lost its PersistentVolume. Data on the volume is lost!`;
  world.events.event(claim, 'Warning', 'ClaimLost', message);
  await patchStatus(world, claim, { phase: 'Lost' });
}

async function syncVolume(world: World, name: string): Promise<void> {
  const { volumes, claims, client, events } = world;
  const volume = volumes.cache.get(name);
  if (volume === undefined) return;
  const { claimRef, persistentVolumeReclaimPolicy: policy } = volume.spec ?? {};
  const claim = claimRef === undefined ? undefined : claims.cache.get(`${claimRef.namespace}/${claimRef.name}`);
  const phase = phaseOf(volume, claim);
  if (volume.status?.phase === phase) return phase === 'Bound' ? undefined : reclaim(world, volume, phase);
  if (phase === 'Released' && policy === 'Delete' && !isProvisioned(volume)) {
    const message = 'nothing here can delete the data of this volume; it stays until its object is deleted';
    events.event(volume, 'Warning', 'VolumeFailedDelete', message);
  }
  await client.patch(
    refOf(PERSISTENT_VOLUMES, volume),
    { status: { phase } },
    { type: 'merge', subresource: 'status' },
  );
}

/**
 * A volume that is to go with its claim is deleted, and stays for as long as its data does: the node removes it, now or when
 * it is back, and says so in the status.
 */
async function reclaim(world: World, volume: PersistentVolume, phase: string): Promise<void> {
  const { finalizers = [], deletionTimestamp } = volume.metadata;
  if (!isProvisioned(volume)) return;
  const isHeld = finalizers.includes(DATA_FINALIZER);
  const goes = volume.spec?.persistentVolumeReclaimPolicy === 'Delete' && phase === 'Released';
  if (deletionTimestamp !== undefined) {
    if (isHeld && (!goes || isDataGone(world, volume))) await setFinalizers(world, volume, without(finalizers));
    return;
  }
  if (!goes) return;
  if (!isHeld) return setFinalizers(world, volume, [...finalizers, DATA_FINALIZER]);
  await deleteIfThere(world.client, refOf(PERSISTENT_VOLUMES, volume));
}

function isDataGone({ nodes, events }: World, volume: PersistentVolume): boolean {
  if (volume.status?.reason === DATA_REMOVED) return true;
  const node = nodeOfVolume(volume) ?? '';
  if (nodes.cache.get(node) !== undefined) return false;
  const message = `node ${node} is gone; whatever is left of the data is there`;
  events.event(volume, 'Warning', 'VolumeFailedDelete', message);
  return true;
}

function without(finalizers: readonly string[]): string[] {
  return finalizers.filter((each) => each !== DATA_FINALIZER);
}

async function setFinalizers({ client }: World, volume: PersistentVolume, finalizers: string[]): Promise<void> {
  const { uid, resourceVersion } = volume.metadata;
  const patch = { metadata: { uid, resourceVersion, finalizers } };
  await client.patch(refOf(PERSISTENT_VOLUMES, volume), patch, { type: 'merge' });
}

function phaseOf(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): string {
  const { claimRef } = volume.spec ?? {};
  if (claimRef?.uid === undefined || claimRef.uid === '') return 'Available';
  return claim !== undefined && isClaimedBy(volume, claim) ? 'Bound' : 'Released';
}

async function patchClaim({ client }: World, claim: PersistentVolumeClaim, change: object): Promise<void> {
  const { metadata = {}, ...rest } = change as { metadata?: object };
  const { uid, resourceVersion } = claim.metadata;
  const patch = { ...rest, metadata: { ...metadata, uid, resourceVersion } };
  await client.patch(refOf(PERSISTENT_VOLUME_CLAIMS, claim), patch, { type: 'merge' });
}

async function patchStatus({ client }: World, claim: PersistentVolumeClaim, status: object): Promise<void> {
  const { phase, accessModes, capacity } = claim.status ?? {};
  if (isSame({ phase, accessModes, capacity }, status)) return;
  await client.patch(refOf(PERSISTENT_VOLUME_CLAIMS, claim), { status }, { type: 'merge', subresource: 'status' });
}
