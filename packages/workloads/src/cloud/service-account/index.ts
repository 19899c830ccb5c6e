/** ServiceAccount `default` in every namespace: what pods run as that name none. */
import type { Namespace, ServiceAccount } from '@skerry/api/types';
import { type ControllerSpec, keyOf, watching } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { NAMESPACES, SERVICE_ACCOUNTS } from '../resources.ts';
import { createIfMissing } from '../writes.ts';

const DEFAULT = 'default';

export function serviceAccountController({ client, informers }: CloudContext): ControllerSpec {
  const namespaces = informers.informer<Namespace>({ gvr: NAMESPACES });
  const accounts = informers.informer<ServiceAccount>({
    gvr: SERVICE_ACCOUNTS,
    fieldSelector: `metadata.name=${DEFAULT}`,
  });
  return {
    name: 'serviceaccount',
    watches: [
      watching(namespaces, ({ object }) => [keyOf(object)]),
      watching(accounts, ({ type, object }) => (type === 'delete' ? [object.metadata.namespace ?? ''] : [])),
    ],
    reconcile: async (namespace) => {
      if (!isActive(namespaces.cache.get(namespace))) return undefined;
      if (accounts.cache.get(`${namespace}/${DEFAULT}`) !== undefined) return undefined;
      await createIfMissing(client, SERVICE_ACCOUNTS, accountIn(namespace));
      return undefined;
    },
  };
}

function isActive(namespace: Namespace | undefined): boolean {
  return namespace !== undefined && namespace.metadata.deletionTimestamp === undefined;
}

function accountIn(namespace: string): ServiceAccount {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: DEFAULT, namespace } };
}
