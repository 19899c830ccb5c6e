/** The provisioner that makes directories on the node where the first pod of a claim is. Pure. */
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@skerry/api/types';
import { DATA_FINALIZER, provisionedByUs } from '../../volumes/local-path.ts';

const DEFAULT_PATH = '/var/lib/skerry/volumes';
const HOSTNAME = 'kubernetes.io/hostname';

/** Why the class cannot be served; undefined when it can. */
export function classProblem({ reclaimPolicy = 'Delete', parameters = {} }: StorageClass): string | undefined {
  const { path = DEFAULT_PATH } = parameters;
  if (!path.startsWith('/') || path.split('/').includes('..'))
    return `parameter path ${JSON.stringify(path)} must be absolute`;
  const isServed = reclaimPolicy === 'Retain' || reclaimPolicy === 'Delete';
  return isServed ? undefined : `reclaimPolicy ${reclaimPolicy} is not supported, use Delete or Retain`;
}

/** The volume is bound to its claim from the start; the node makes its directory when the first pod mounts it. */
export function localVolume(claim: PersistentVolumeClaim, storageClass: StorageClass, node: Node): PersistentVolume {
  const { metadata, spec = {} } = claim;
  const { name = '', namespace = '', uid = '' } = metadata;
  const volume = `pvc-${uid}`;
  const hostname = node.metadata.labels?.[HOSTNAME] ?? node.metadata.name ?? '';
  const { parameters, reclaimPolicy = 'Delete' } = storageClass;
  const { path = DEFAULT_PATH } = parameters ?? {};
  const finalizers = reclaimPolicy === 'Delete' ? { finalizers: [DATA_FINALIZER] } : {};
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volume, annotations: provisionedByUs(), ...finalizers },
    spec: {
      capacity: { storage: spec.resources?.requests?.['storage'] ?? '0' },
      accessModes: spec.accessModes ?? ['ReadWriteOnce'],
      volumeMode: 'Filesystem',
      storageClassName: storageClass.metadata.name ?? '',
      persistentVolumeReclaimPolicy: reclaimPolicy,
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      hostPath: { path: `${path.replace(/\/+$/, '')}/${volume}`, type: 'DirectoryOrCreate' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME, operator: 'In', values: [hostname] }] }],
        },
      },
    },
  };
}

/** The node that a volume of ours is on. */
export function nodeOfVolume({ spec }: PersistentVolume): string | undefined {
  const [term] = spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  return term?.matchExpressions?.find(({ key }) => key === HOSTNAME)?.values?.[0];
}
