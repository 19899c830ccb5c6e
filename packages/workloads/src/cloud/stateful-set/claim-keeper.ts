/** The claims of a StatefulSet's ordinals: made before the pod, kept or given up as the retention policy says. */
import { isStatus, StatusError } from '@skerry/api';
import type { PersistentVolumeClaim, Pod, StatefulSet } from '@skerry/api/types';
import type { Client, Recorder } from '@skerry/kube/client';
import { type Informer, keyOf } from '@skerry/kube/controller';
import { PERSISTENT_VOLUME_CLAIMS } from '../resources.ts';
import { refOf } from '../writes.ts';
import { claimOwners, claimsOf, ordinalOf } from './identity.ts';

export interface ClaimKeeperOptions {
  readonly client: Client;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly events: Recorder;
}

export class ClaimKeeper {
  readonly #options: ClaimKeeperOptions;

  constructor(options: ClaimKeeperOptions) {
    this.#options = options;
  }

  /** Makes the claims of an ordinal that are missing; rejects while an old one is on its way out. */
  async create(set: StatefulSet, ordinal: number): Promise<void> {
    const { claims } = this.#options;
    for (const wanted of claimsOf(set, ordinal)) {
      const claim = claims.cache.get(keyOf(wanted));
      if (claim === undefined) await this.#createOne(set, wanted);
      else if (claim.metadata.deletionTimestamp !== undefined) {
        throw new StatusError(409, 'Conflict', `claim ${claim.metadata.name} is being deleted`);
      }
    }
  }

  /** Sets the owners of the claims there are, so that the garbage collector takes those that nobody wants. */
  async keep(set: StatefulSet, pods: readonly Pod[], condemned: readonly Pod[]): Promise<void> {
    const { client, claims } = this.#options;
    for (const pod of pods) {
      for (const { metadata } of claimsOf(set, ordinalOf(set, pod) ?? 0)) {
        const claim = claims.cache.get(`${metadata.namespace}/${metadata.name}`);
        if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) continue;
        const ownerReferences = claimOwners(set, claim, condemned.includes(pod) ? pod : undefined);
        if (ownerReferences === undefined) continue;
        const patch = { metadata: { uid: claim.metadata.uid, ownerReferences } };
        await client.patch(refOf(PERSISTENT_VOLUME_CLAIMS, claim), patch, { type: 'merge' });
      }
    }
  }

  async #createOne(set: StatefulSet, claim: PersistentVolumeClaim): Promise<void> {
    const { client, events } = this.#options;
    const ownerReferences = claimOwners(set, claim, undefined);
    const metadata = {
      ...claim.metadata,
      ...(ownerReferences === undefined ? {} : { ownerReferences: [...ownerReferences] }),
    };
    try {
      await client.create(PERSISTENT_VOLUME_CLAIMS, { ...claim, metadata });
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) return;
      throw error;
    }
    const { name } = claim.metadata;
    events.event(set, 'Normal', 'SuccessfulCreate', `create Claim ${name} in StatefulSet ${set.metadata.name} success`);
  }
}
