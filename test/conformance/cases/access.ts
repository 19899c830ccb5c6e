/** Who one is, and what one may. */
import assert from 'node:assert/strict';
import type { TokenRequest, TokenReview } from '@skerry/api/types';
import { crud } from '../crud.ts';
import { at, type Lab, refused } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { podSpec } from '../workloads.ts';

/** For CN=suite, O=example.com; the key of it is nobody's. */
const SIGNING_REQUEST =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIZ01JR0lBZ0VBTUNZeEZEQVNCZ05WQkFvTUMyVjRZVzF3YkdVdVkyOXRNUTR3REFZRFZRUUREQVZ6ZFdsMApaVEJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSEEwSUFCS0kxNjlOYXYrTjhCWXVCSHJySXR0ZkgxOUdOCnErR0VHMnRvYnhDeTNLc2RpdnNPWWxOSEdnZGhiZzlwMUJBL2duczlhYTBZUGVhb00wR3dMcVd1blhHZ0FEQUsKQmdncWhrak9QUVFEQWdOSEFEQkVBaUEyL2l5KzR6ZVRBdWtrZmgzV3plenhIMmtTWHBLYU5HYjZDZWJsTEh3RwpYQUlnQTJTalBtR1c4a1RUN2VLWWJ1YU4ycFE0bWtRQXp3cEhsUGd6Q3MzZHFyTT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==';

export const ACCESS: readonly Requirement[] = [
  requirement(
    '[sig-auth] ServiceAccounts should allow opting out of API token automount',
    'a token is mounted into a pod unless the pod, or else its account, declines',
    optsOut,
  ),
  requirement(
    '[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview',
    'a token that was asked for is known by TokenReview, with its account, its groups and its pod',
    reviewsToken,
  ),
  requirement(
    '[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace',
    'the ConfigMap kube-root-ca.crt is in a new namespace, comes back when deleted, and is put right when changed',
    keepsRootCa,
  ),
  requirement(
    '[sig-auth] SubjectReview should support SubjectReview API operations',
    'SubjectAccessReview and LocalSubjectAccessReview answer for an account what it then finds to be so',
    reviewsSubjects,
  ),
  crud('[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations', {
    kind: 'CertificateSigningRequest',
    body: {
      spec: {
        signerName: 'example.com/of-the-suite',
        request: SIGNING_REQUEST,
        usages: ['digital signature', 'key encipherment', 'server auth'],
        expirationSeconds: 3600,
      },
    },
    subresource: 'approval',
    status: {
      conditions: [{ type: 'Approved', status: 'True', reason: 'Case', message: 'by the suite' }],
    },
  }),
];

async function optsOut(lab: Lab): Promise<void> {
  const accounts = lab.of('ServiceAccount');
  await accounts.create({ metadata: { name: 'mounts' } });
  await accounts.create({ metadata: { name: 'declines' }, automountServiceAccountToken: false });
  for (const [account, ofPod, isMounted] of [
    ['mounts', undefined, true],
    ['mounts', true, true],
    ['mounts', false, false],
    ['declines', undefined, false],
    ['declines', true, true],
    ['declines', false, false],
  ] as const) {
    const automount = ofPod === undefined ? {} : { automountServiceAccountToken: ofPod };
    const pod = await lab.of('Pod').create({
      metadata: { generateName: `${account}-` },
      spec: { ...podSpec(lab), serviceAccountName: account, ...automount },
    });
    const paths = pod.spec?.containers[0]?.volumeMounts?.map(({ mountPath }) => mountPath) ?? [];
    assert.equal(paths.includes('/var/run/secrets/kubernetes.io/serviceaccount'), isMounted, `${account} ${ofPod}`);
  }
}

function tokenFor(lab: Lab, account: string, spec: object): Promise<TokenRequest> {
  return lab.api.object<TokenRequest>({
    method: 'POST',
    path: lab.of('ServiceAccount').pathOf(account, 'token'),
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
  });
}

async function reviewsToken(lab: Lab): Promise<void> {
  const account = await lab.of('ServiceAccount').create({ metadata: { name: 'bot' } });
  const spec = { ...podSpec(lab), serviceAccountName: 'bot' };
  const pod = await lab.of('Pod').create({ metadata: { name: 'pod' }, spec });
  const { name, uid } = pod.metadata;
  const asked = await tokenFor(lab, 'bot', {
    expirationSeconds: 600,
    boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
  });
  assert.ok(asked.status?.token && asked.status.expirationTimestamp);
  const { status } = await lab.api.object<TokenReview>({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: asked.status.token } },
  });
  assert.equal(status?.authenticated, true, status?.error);
  assert.equal(status?.user?.username, `system:serviceaccount:${lab.namespace}:bot`);
  assert.equal(status?.user?.uid, account.metadata.uid);
  for (const group of ['system:serviceaccounts', `system:serviceaccounts:${lab.namespace}`, 'system:authenticated'])
    assert.ok(status?.user?.groups?.includes(group), group);
  assert.deepEqual(status?.user?.extra?.['authentication.kubernetes.io/pod-name'], ['pod']);
}

async function keepsRootCa(lab: Lab): Promise<void> {
  const name = 'kube-root-ca.crt';
  const maps = lab.of('ConfigMap');
  const there = () =>
    lab.eventually('the ConfigMap is there', async () =>
      (await maps.list()).items.find(({ metadata }) => metadata.name === name),
    );
  const { metadata, data } = await there();
  assert.match(data?.['ca.crt'] ?? '', /BEGIN CERTIFICATE/);
  await maps.delete(name);
  await lab.eventually('it is back', async () => (await there()).metadata.uid !== metadata.uid);
  await maps.change(name, (map) => {
    map.data = { 'ca.crt': '' };
  });
  await lab.eventually('it is right', async () => (await there()).data?.['ca.crt'] === data?.['ca.crt']);
}

async function reviewsSubjects(lab: Lab): Promise<void> {
  await lab.of('ServiceAccount').create({ metadata: { name: 'bot' } });
  const user = `system:serviceaccount:${lab.namespace}:bot`;
  const resourceAttributes = { verb: 'list', resource: 'configmaps', namespace: lab.namespace, version: 'v1' };
  const root = '/apis/authorization.k8s.io/v1';
  const isAllowed = async (kind: string, path: string) => {
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind,
      metadata: { namespace: lab.namespace },
      spec: { user, resourceAttributes },
    };
    const local = kind.startsWith('Local') ? body : { ...body, metadata: {} };
    return at(await lab.api.object({ method: 'POST', path, body: local }), 'status.allowed');
  };
  const answers = async () => [
    await isAllowed('SubjectAccessReview', `${root}/subjectaccessreviews`),
    await isAllowed('LocalSubjectAccessReview', `${root}/namespaces/${lab.namespace}/localsubjectaccessreviews`),
  ];
  const tryIt = () => lab.api.object({ path: lab.of('ConfigMap').path, headers: { 'impersonate-user': user } });
  assert.deepEqual(await answers(), [false, false]);
  await refused(tryIt(), { code: 403, reason: 'Forbidden' });
  await grant(lab, user);
  await lab.eventually('both say yes', async () => (await answers()).every((answer) => answer === true));
  await tryIt();
}

async function grant(lab: Lab, user: string): Promise<void> {
  const group = 'rbac.authorization.k8s.io';
  const place = { apiVersion: `${group}/v1`, namespace: lab.namespace };
  const roles = lab.collection({ ...place, kind: 'Role', resource: 'roles' });
  const bindings = lab.collection({ ...place, kind: 'RoleBinding', resource: 'rolebindings' });
  await roles.create({
    metadata: { name: 'lists' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }],
  });
  await bindings.create({
    metadata: { name: 'lists' },
    roleRef: { apiGroup: group, kind: 'Role', name: 'lists' },
    subjects: [{ apiGroup: group, kind: 'User', name: user }],
  });
}
