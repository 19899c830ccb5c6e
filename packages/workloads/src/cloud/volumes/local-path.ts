/** The provisioner that makes directories on the node where the first pod of a claim is. Pure. */
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@skerry/api/types';

export const LOCAL_PATH = 'skerry.io/local-path';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const DEFAULT_PATH = '/var/lib/skerry/volumes';
const HOSTNAME = 'kubernetes.io/hostname';

/** Why the class cannot be served; undefined when it can. */
export function classProblem({ reclaimPolicy = 'Delete', parameters = {} }: StorageClass): string | undefined {
  const { path = DEFAULT_PATH } = parameters;
  if (!path.startsWith('/') || path.split('/').includes('..'))
    return `parameter path ${JSON.stringify(path)} must be absolute`;
  // Nobody at the node would remove the data, and a volume that says it is deleted while its data stays would lie.
  return reclaimPolicy === 'Retain' ? undefined : `reclaimPolicy ${reclaimPolicy} is not supported, use Retain`;
}

/** The volume is bound to its claim from the start; the node makes its directory when the first pod mounts it. */
export function localVolume(claim: PersistentVolumeClaim, storageClass: StorageClass, node: Node): PersistentVolume {
  const { metadata, spec = {} } = claim;
  const { name = '', namespace = '', uid = '' } = metadata;
  const volume = `pvc-${uid}`;
  const hostname = node.metadata.labels?.[HOSTNAME] ?? node.metadata.name ?? '';
  const { path = DEFAULT_PATH } = storageClass.parameters ?? {};
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volume, annotations: { [PROVISIONED_BY]: LOCAL_PATH } },
    spec: {
      capacity: { storage: spec.resources?.requests?.['storage'] ?? '0' },
      accessModes: spec.accessModes ?? ['ReadWriteOnce'],
      volumeMode: 'Filesystem',
      storageClassName: storageClass.metadata.name ?? '',
      persistentVolumeReclaimPolicy: 'Retain',
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
