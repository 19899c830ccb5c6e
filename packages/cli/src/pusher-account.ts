/** The account that pushes and pulls when nobody said who: it may do that everywhere, and nothing else. */
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import type { HttpClient } from '@skerry/kube/client';

export interface Account {
  readonly namespace: string;
  readonly name: string;
}

const ACCOUNTS: Gvr = { group: '', version: 'v1', resource: 'serviceaccounts' };
const rbac = (resource: string): Gvr => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource });
export const PUSHER: Account = { namespace: 'kube-system', name: 'image-pusher' };
const ROLE = 'skerry:image-pusher';

/** A token of the pusher, which is made where it is missing. */
export async function pusherToken(client: HttpClient, expirationSeconds: number): Promise<string> {
  const { namespace, name } = PUSHER;
  const rules = [{ apiGroups: ['registry.skerry.io'], resources: ['images'], verbs: ['*'] }];
  const subjects = [{ kind: 'ServiceAccount', namespace, name }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: ROLE };
  const inRbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: ROLE } };
  await create(client, ACCOUNTS, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } });
  await create(client, rbac('clusterroles'), { ...inRbac, kind: 'ClusterRole', rules });
  await create(client, rbac('clusterrolebindings'), { ...inRbac, kind: 'ClusterRoleBinding', subjects, roleRef });
  return tokenOf(client, PUSHER, expirationSeconds);
}

export async function tokenOf(client: HttpClient, account: Account, expirationSeconds: number): Promise<string> {
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds } };
  const { status } = await client.createSubresource<{ readonly status: { readonly token: string } }>(
    { gvr: ACCOUNTS, ...account },
    'token',
    request,
  );
  return status.token;
}

async function create(client: HttpClient, gvr: Gvr, object: KubeObject): Promise<void> {
  try {
    await client.create(gvr, object, { fieldManager: 'skerry' });
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
  }
}
