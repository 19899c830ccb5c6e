/** DefaultStorageClass: a claim that names no class gets the cluster's. */
import type { KubeObject } from '@skerry/api';
import type { PersistentVolumeClaim } from '@skerry/api/types';
import { keyPrefix } from '../../store/key.ts';
import type { AdmissionStep, Engine } from '../engine.ts';
import { toServedObject } from '../object-text.ts';
import { isFor } from './lookup.ts';

const IS_DEFAULT = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];
const OLD_CLASS = 'volume.beta.kubernetes.io/storage-class';

export const defaultStorageClass: AdmissionStep = {
  name: 'DefaultStorageClass',
  admit: (engine, admitted) => {
    const { operation, subresource, object } = admitted;
    if (operation !== 'CREATE' || subresource !== undefined || !isFor(admitted, '', 'persistentvolumeclaims')) return;
    const claim = object as PersistentVolumeClaim;
    // An empty name means no class at all.
    if (claim.spec === undefined || claim.spec.storageClassName !== undefined) return;
    if (claim.metadata.annotations?.[OLD_CLASS] !== undefined) return;
    const name = defaultClass(engine)?.metadata.name;
    if (name !== undefined) claim.spec.storageClassName = name;
  },
};

/** The youngest of those that are marked; of two as young the first by name. */
function defaultClass({ store }: Engine): KubeObject | undefined {
  const classes = store.list(keyPrefix('storage.k8s.io', 'storageclasses')).items.map((one) => toServedObject(one));
  const marked = classes.filter(({ metadata }) => IS_DEFAULT.some((key) => metadata.annotations?.[key] === 'true'));
  const age = ({ metadata }: KubeObject) => Date.parse(metadata.creationTimestamp ?? '');
  return marked.sort((left, right) => age(right) - age(left))[0];
}
