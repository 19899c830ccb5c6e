/** A persistentVolumeClaim volume: the bound volume's directory on this node. */
import { chmodSync, statSync } from 'node:fs';
import type { KubeObject } from '@skerry/api';
import { isProvisioned } from '../../volumes/local-path.ts';
import type { ConfigReader } from '../pod/environment.ts';
import { openHostPath } from './host-path.ts';
import { VolumeProblem } from './payload.ts';

interface Claim extends KubeObject {
  spec?: { readonly volumeName?: string };
  status?: { readonly phase?: string };
}

interface BoundVolume extends KubeObject {
  spec?: {
    readonly claimRef?: { readonly uid?: string };
    readonly hostPath?: { readonly path: string; readonly type?: string };
    readonly local?: { readonly path: string };
    readonly volumeMode?: string;
  };
}

export interface WantedClaim {
  readonly name: string;
  /** The pod for which the claim must have been made. */
  readonly madeFor?: string;
}

export interface OpenedClaim {
  readonly path: string;
  /** Whether its files are to have the group of the pod; what somebody else keeps on the host stays as it is. */
  readonly takesGroup: boolean;
}

/** Throws VolumeProblem while the claim is not bound, or its volume is none that this node can mount. */
export async function openClaim({ name, madeFor }: WantedClaim, read: ConfigReader): Promise<OpenedClaim> {
  const claim = (await read('PersistentVolumeClaim', name)) as Claim | undefined;
  if (claim === undefined) throw new VolumeProblem(`persistentvolumeclaim "${name}" not found`);
  if (madeFor !== undefined && !claim.metadata.ownerReferences?.some(({ uid }) => uid === madeFor)) {
    throw new VolumeProblem(`persistentvolumeclaim "${name}" was not created for this pod`);
  }
  const { volumeName } = claim.spec ?? {};
  if (claim.status?.phase !== 'Bound' || volumeName === undefined) {
    throw new VolumeProblem(`persistentvolumeclaim "${name}" is not bound`);
  }
  const volume = (await read('PersistentVolume', volumeName)) as BoundVolume | undefined;
  if (volume === undefined) throw new VolumeProblem(`persistentvolume "${volumeName}" not found`);
  const { hostPath, local, claimRef, volumeMode } = volume.spec ?? {};
  if (claimRef?.uid !== claim.metadata.uid) {
    throw new VolumeProblem(`persistentvolume "${volumeName}" is bound to another claim`);
  }
  if (volumeMode === 'Block') throw new VolumeProblem(`persistentvolume "${volumeName}" is a block device`);
  if (hostPath !== undefined) {
    const isOurs = isProvisioned(volume);
    return { path: isOurs ? openProvisioned(hostPath) : openHostPath(hostPath), takesGroup: isOurs };
  }
  // A local volume is a disk that somebody mounted: a directory made in its place would hide that it is missing.
  if (local !== undefined) return { path: openHostPath({ path: local.path, type: 'Directory' }), takesGroup: true };
  throw new VolumeProblem(`persistentvolume "${volumeName}" is of a type that is not supported on this node`);
}

/** Nobody has made the directory before its first pod, whose user need not be ours. */
function openProvisioned(hostPath: NonNullable<NonNullable<BoundVolume['spec']>['hostPath']>): string {
  const isNew = statSync(hostPath.path, { throwIfNoEntry: false }) === undefined;
  const path = openHostPath(hostPath);
  if (isNew) chmodSync(path, 0o777);
  return path;
}
