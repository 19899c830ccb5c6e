/** Owner references: who made what. */
import { formatApiVersion, type Gvk, type KubeObject, type OwnerReference } from '@skerry/api';
import type { Informer } from '@skerry/kube/controller';

/** The reference that marks `owner` as the controller of what it makes. */
export function controllerReference(owner: KubeObject, gvk: Gvk): OwnerReference {
  const { name = '', uid = '' } = owner.metadata;
  return {
    apiVersion: formatApiVersion(gvk),
    kind: gvk.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The object's controller, if it has one. */
export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

const BY_CONTROLLER = 'controller';
const ORPHANS_BY_NAMESPACE = 'orphans';

/** Indexes an informer for `controlledBy` and `orphansIn`. */
export function indexByController<T extends KubeObject>(informer: Informer<T>): void {
  informer.addIndex(BY_CONTROLLER, (object) => {
    const uid = controllerOf(object)?.uid;
    return uid === undefined ? [] : [uid];
  });
  informer.addIndex(ORPHANS_BY_NAMESPACE, (object) =>
    controllerOf(object) === undefined ? [object.metadata.namespace ?? ''] : [],
  );
}

export function controlledBy<T extends KubeObject>(informer: Informer<T>, owner: KubeObject): readonly T[] {
  return informer.cache.byIndex(BY_CONTROLLER, owner.metadata.uid ?? '');
}

export function orphansIn<T extends KubeObject>(informer: Informer<T>, namespace: string): readonly T[] {
  return informer.cache.byIndex(ORPHANS_BY_NAMESPACE, namespace);
}
