/** Which volume a claim may have. Pure; the binder and the scheduler ask the same questions. */
import { compareQuantity } from '@skerry/api/quantity';
import { selectorFromObject } from '@skerry/api/selectors';
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@skerry/api/types';
import { matchesTerm } from '../../fit/node-affinity.ts';
import { createdAt } from '../timestamps.ts';

export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

export function classOf({ spec }: PersistentVolumeClaim | PersistentVolume): string {
  return spec?.storageClassName ?? '';
}

/** The newest of the classes that are marked as the one for claims that name none. */
export function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  const marked = classes.filter(({ metadata }) => metadata.annotations?.[DEFAULT_CLASS] === 'true');
  return marked.sort((left, right) => createdAt(right) - createdAt(left))[0];
}

export function waitsForConsumer(storageClass: StorageClass | undefined): boolean {
  return storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
}

/** Whether a pod on the node can have the volume. */
export function isReachableFrom({ spec }: PersistentVolume, node: Node): boolean {
  const required = spec?.nodeAffinity?.required;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

export function isClaimedBy({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { namespace, name, uid } = spec?.claimRef ?? {};
  const isNamed = namespace === metadata.namespace && name === metadata.name;
  return isNamed && (uid === undefined || uid === '' || uid === metadata.uid);
}

/** The volume kept for the claim, else the smallest free one that is large enough. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  node?: Node,
): PersistentVolume | undefined {
  const suitable = volumes.filter(
    (volume) => suits(volume, claim) && (node === undefined || isReachableFrom(volume, node)),
  );
  const kept = suitable.find((volume) => volume.spec?.claimRef !== undefined && isClaimedBy(volume, claim));
  if (kept !== undefined) return kept;
  const free = suitable.filter(({ spec }) => spec?.claimRef === undefined);
  return free.sort((left, right) => compareQuantity(sizeOf(left), sizeOf(right)))[0];
}

function sizeOf({ spec }: PersistentVolume): string {
  return spec?.capacity?.['storage'] ?? '0';
}

function suits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { spec = {}, metadata } = volume;
  const { accessModes = [], resources, selector, volumeMode = 'Filesystem', volumeName } = claim.spec ?? {};
  if (metadata.deletionTimestamp !== undefined) return false;
  if (volumeName !== undefined && volumeName !== '' && volumeName !== metadata.name) return false;
  if (classOf(volume) !== classOf(claim) || (spec.volumeMode ?? 'Filesystem') !== volumeMode) return false;
  if (!accessModes.every((mode) => spec.accessModes?.includes(mode))) return false;
  if (compareQuantity(sizeOf(volume), resources?.requests?.['storage'] ?? '0') < 0) return false;
  return selector === undefined || selectorFromObject(selector).matches(metadata.labels);
}
