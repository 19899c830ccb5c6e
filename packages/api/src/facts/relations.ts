/** From objects to what they need at their node; the replica and the node authorizer follow these. */
import type { Relation } from '../resource.ts';

/** To a resource of version v1, by the dotted paths of names. */
export function to(group: string, resource: string, ...namePaths: readonly string[]): Relation {
  return { to: { group, version: 'v1', resource }, namePaths };
}

/** What a pod needs before its containers can start. */
export function podRelations(): Relation[] {
  const inContainers = (path: string) =>
    ['containers', 'initContainers', 'ephemeralContainers'].map((list) => `spec.${list}[].${path}`);
  return [
    to(
      '',
      'configmaps',
      'spec.volumes[].configMap.name',
      'spec.volumes[].projected.sources[].configMap.name',
      ...inContainers('env[].valueFrom.configMapKeyRef.name'),
      ...inContainers('envFrom[].configMapRef.name'),
    ),
    to(
      '',
      'secrets',
      'spec.volumes[].secret.secretName',
      'spec.volumes[].projected.sources[].secret.name',
      'spec.volumes[].csi.nodePublishSecretRef.name',
      'spec.imagePullSecrets[].name',
      ...inContainers('env[].valueFrom.secretKeyRef.name'),
      ...inContainers('envFrom[].secretRef.name'),
    ),
    to('', 'persistentvolumeclaims', 'spec.volumes[].persistentVolumeClaim.claimName'),
    to('', 'serviceaccounts', 'spec.serviceAccountName'),
    to('node.k8s.io', 'runtimeclasses', 'spec.runtimeClassName'),
    to('resource.k8s.io', 'resourceclaims', 'spec.resourceClaims[].resourceClaimName'),
  ];
}

/** What every node may read anyway; to name it draws nothing new to the node. */
const OPEN_TO_NODES: ReadonlySet<string> = new Set(['runtimeclasses']);

/** The resource of the first relation by which `object` would draw something to its node; undefined when there is none. */
export function drawnResource(object: unknown, relations: readonly Relation[]): string | undefined {
  const drawing = relations.find(
    ({ to: { resource }, namePaths }) =>
      !OPEN_TO_NODES.has(resource) && namePaths.some((path) => leadsSomewhere(object, path.split('.'))),
  );
  return drawing?.to.resource;
}

function leadsSomewhere(value: unknown, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return typeof value === 'string' && value !== '';
  if (typeof value !== 'object' || value === null) return false;
  const isList = step.endsWith('[]');
  const field = isList ? step.slice(0, -2) : step;
  if (!Object.hasOwn(value, field)) return false;
  const child = (value as Record<string, unknown>)[field];
  if (!isList) return leadsSomewhere(child, rest);
  return Array.isArray(child) && child.some((element) => leadsSomewhere(element, rest));
}
