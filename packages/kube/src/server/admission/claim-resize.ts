/** A claim may ask for more only where its class says that volumes can grow. */
import type { KubeObject } from '@skerry/api';
import { compareQuantity } from '@skerry/api/quantity';
import { type AdmissionStep, type Admitted, groupResource } from '../engine.ts';
import { forbidden } from '../statuses.ts';
import { isFor, lookUp } from './lookup.ts';

interface ClaimSpec {
  readonly storageClassName?: string;
  readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
}

export const claimResize: AdmissionStep = {
  name: 'PersistentVolumeClaimResize',
  admit: (engine, admitted) => {
    const { operation, object, old, subresource } = admitted;
    if (operation !== 'UPDATE' || old === undefined || subresource !== undefined) return;
    if (!isFor(admitted, '', 'persistentvolumeclaims') || !isLarger(object, old)) return;
    const { storageClassName = '' } = specOf(old);
    const storageClass = lookUp(engine, 'storage.k8s.io', 'storageclasses', { name: storageClassName });
    if (storageClass?.['allowVolumeExpansion'] === true) return;
    refuse(admitted);
  },
};

function isLarger(object: KubeObject, old: KubeObject): boolean {
  const [wanted, before] = [object, old].map((claim) => specOf(claim).resources?.requests?.['storage']);
  return wanted !== undefined && before !== undefined && compareQuantity(wanted, before) > 0;
}

function specOf(claim: KubeObject): ClaimSpec {
  return (claim['spec'] ?? {}) as ClaimSpec;
}

function refuse({ kind, name }: Admitted): never {
  const why =
    'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';
  throw forbidden(groupResource(kind), name, why);
}
