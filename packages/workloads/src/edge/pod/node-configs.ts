/** Which pods use which ConfigMaps and Secrets. Pure. */
import type { Pod, ProjectedSource, Volume } from './types.ts';

export type ConfigKey = `${'ConfigMap' | 'Secret'}/${string}`;

/** Everything the pod reads from, by kind and name, within its namespace. */
export function configsOf({ spec }: Pod): Set<ConfigKey> {
  const found = new Set<ConfigKey>();
  for (const volume of spec.volumes ?? []) for (const key of keysOfVolume(volume)) found.add(key);
  for (const { env = [], envFrom = [] } of [...(spec.initContainers ?? []), ...spec.containers]) {
    for (const { valueFrom } of env) {
      if (valueFrom?.configMapKeyRef) found.add(`ConfigMap/${valueFrom.configMapKeyRef.name}`);
      if (valueFrom?.secretKeyRef) found.add(`Secret/${valueFrom.secretKeyRef.name}`);
    }
    for (const { configMapRef, secretRef } of envFrom) {
      if (configMapRef) found.add(`ConfigMap/${configMapRef.name}`);
      if (secretRef) found.add(`Secret/${secretRef.name}`);
    }
  }
  return found;
}

function keysOfVolume({ configMap, secret, projected }: Volume): ConfigKey[] {
  const own: ProjectedSource = {
    ...(configMap === undefined ? {} : { configMap }),
    ...(secret?.secretName === undefined ? {} : { secret: { name: secret.secretName } }),
  };
  return [own, ...(projected?.sources ?? [])].flatMap(keysOfSource);
}

function keysOfSource({ configMap, secret }: ProjectedSource): ConfigKey[] {
  return [
    ...(configMap?.name === undefined ? [] : [`ConfigMap/${configMap.name}` as const]),
    ...(secret?.name === undefined ? [] : [`Secret/${secret.name}` as const]),
  ];
}
