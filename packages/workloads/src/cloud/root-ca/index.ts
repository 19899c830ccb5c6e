/** ConfigMap `kube-root-ca.crt` in every namespace: how pods know the API server. */
import type { ConfigMap, Namespace } from '@skerry/api/types';
import { type ControllerSpec, keyOf, watching } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { CONFIG_MAPS, NAMESPACES } from '../resources.ts';
import { createIfMissing } from '../writes.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION = 'kubernetes.io/description';

export function rootCaController({ client, informers }: CloudContext, rootCa: string): ControllerSpec {
  const namespaces = informers.informer<Namespace>({ gvr: NAMESPACES });
  const configMaps = informers.informer<ConfigMap>({ gvr: CONFIG_MAPS, fieldSelector: `metadata.name=${NAME}` });
  return {
    name: 'root-ca',
    watches: [
      watching(namespaces, ({ object }) => [keyOf(object)]),
      watching(configMaps, ({ object }) => [object.metadata.namespace ?? '']),
    ],
    reconcile: async (namespace) => {
      const owner = namespaces.cache.get(namespace);
      if (owner === undefined || owner.metadata.deletionTimestamp !== undefined) return undefined;
      const current = configMaps.cache.get(`${namespace}/${NAME}`);
      if (current === undefined) await createIfMissing(client, CONFIG_MAPS, configMapIn(namespace, rootCa));
      else if (current.data?.['ca.crt'] !== rootCa) {
        const { metadata } = current;
        await client.update(CONFIG_MAPS, { ...configMapIn(namespace, rootCa), metadata });
      }
      return undefined;
    },
  };
}

function configMapIn(namespace: string, rootCa: string): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: NAME,
      namespace,
      annotations: { [DESCRIPTION]: "The authority behind the API server's certificate, for programs in pods." },
    },
    data: { 'ca.crt': rootCa },
  };
}
