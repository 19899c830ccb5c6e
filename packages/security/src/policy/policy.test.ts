import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attributes, KubeObject, UserInfo } from '@skerry/api';
import { systemClock } from '@skerry/base';
import fc from 'fast-check';
import {
  type Credential,
  clientProfile,
  createAuthority,
  DAY_MS,
  issueCredential,
  newPrivateKey,
  validFor,
} from '../pki/index.ts';
import { createTokenIssuer, createTokenVerifier, keysById } from '../tokens/index.ts';
import {
  bootstrapPolicy,
  checkBindingEscalation,
  checkRoleEscalation,
  createAuthenticator,
  createPolicyCache,
  createRbacAuthorizer,
  impersonate,
  mastersAuthorizer,
  type PolicyRule,
  reviewRules,
  uncoveredRules,
  unionAuthorizer,
} from './index.ts';

const user = (username: string, ...groups: string[]): UserInfo => ({ username, groups });
const ALICE = user('alice', 'system:authenticated');

function role(
  kind: 'Role' | 'ClusterRole',
  name: string,
  rules: readonly PolicyRule[],
  namespace?: string,
): KubeObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: { name, ...(namespace && { namespace }) },
    rules,
  };
}

function binding(name: string, roleRef: [string, string], subjects: object[], namespace?: string): KubeObject {
  const kind = namespace ? 'RoleBinding' : 'ClusterRoleBinding';
  const [roleKind, roleName] = roleRef;
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: { name, ...(namespace && { namespace }) },
    roleRef: { kind: roleKind, name: roleName },
    subjects,
  };
}

/** `get pods`, `delete apps/deployments/scale x in shop`, or `get /healthz`. */
function request(text: string, who: UserInfo): Attributes {
  const [, verb = '', what = '', name, namespace] = /^(\S+) (\S+)(?: (?!in )(\S+))?(?: in (\S+))?$/.exec(text) ?? [];
  if (what.startsWith('/')) return { user: who, verb, path: what };
  const [group = '', resource = '', subresource] = what.includes('/')
    ? what.replace(/^core/, '').split('/')
    : ['', what];
  const at = { ...(name && { name }), ...(namespace && { namespace }), ...(subresource && { subresource }) };
  return { user: who, verb, path: '', resource: { group, version: 'v1', resource, ...at } };
}

/** Whether `who` may do each of these under the bootstrap policy and the objects of the case. */
function check(who: UserInfo, objects: readonly KubeObject[], expected: Readonly<Record<string, boolean>>): void {
  const rbac = createRbacAuthorizer(createPolicyCache([...bootstrapPolicy(), ...objects]));
  for (const [text, allowed] of Object.entries(expected))
    assert.equal(rbac.authorize(request(text, who)).allowed, allowed, text);
}

const READ_PODS: PolicyRule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] };
const toAlice = [{ kind: 'User', name: 'alice' }];

test('a user without bindings sees discovery and themselves, and nothing else', () =>
  check(ALICE, [], {
    'get /api': true,
    'get /apis/apps/v1': true,
    'get /metrics': false,
    'post /api': false,
    'create authorization.k8s.io/selfsubjectaccessreviews': true,
    'list pods': false,
    'list pods in shop': false,
  }));
test('a stranger sees the version and the probes', () =>
  check(user('system:anonymous', 'system:unauthenticated'), [], {
    'get /version': true,
    'get /readyz': true,
    'get /api': false,
  }));
test('a cluster binding holds everywhere, a role binding in its namespace', () => {
  check(ALICE, [role('ClusterRole', 'r', [READ_PODS]), binding('b', ['ClusterRole', 'r'], toAlice)], {
    'list pods': true,
    'get pods x in shop': true,
    'delete pods x in shop': false,
    'get apps/pods x in shop': false,
    'get core/pods/log x in shop': false,
  });
  check(ALICE, [role('Role', 'r', [READ_PODS], 'shop'), binding('b', ['Role', 'r'], toAlice, 'shop')], {
    'list pods': false,
    'list pods in shop': true,
    'list pods in other': false,
  });
});
test('names, subresources and their stars narrow and widen as in Kubernetes', () =>
  check(
    ALICE,
    [
      role('ClusterRole', 'r', [
        { verbs: ['get'], apiGroups: [''], resources: ['configmaps'], resourceNames: ['one'] },
        { verbs: ['*'], apiGroups: ['apps'], resources: ['*/scale'] },
        { verbs: ['get'], apiGroups: ['*'], resources: ['secrets'] },
        { verbs: ['get'], nonResourceURLs: ['/logs/*'] },
      ]),
      binding('b', ['ClusterRole', 'r'], toAlice),
    ],
    {
      'get configmaps one in a': true,
      'get configmaps two in a': false,
      'list configmaps in a': false,
      'update apps/deployments/scale x in a': true,
      'update apps/deployments x in a': false,
      'get any/secrets x in a': true,
      'get /logs/x': true,
      'get /logs': false,
    },
  ));
test('a service account is meant by its namespace and name only', () => {
  const objects = [
    role('ClusterRole', 'r', [READ_PODS]),
    binding('b', ['ClusterRole', 'r'], [{ kind: 'ServiceAccount', name: 'web', namespace: 'shop' }]),
  ];
  check(user('system:serviceaccount:shop:web'), objects, { 'list pods': true });
  check(user('system:serviceaccount:other:web'), objects, { 'list pods': false });
  check(user('web'), objects, { 'list pods': false });
});
test('cluster-admin does everything, admin cannot leave its namespace, view reads no secrets', () => {
  check(user('root', 'system:masters'), [], {
    'delete nodes x': true,
    'get /anything': true,
    'escalate any/thing': true,
  });
  const bind = (name: string) => [binding('b', ['ClusterRole', name], toAlice, 'shop')];
  check(ALICE, bind('admin'), {
    'create apps/deployments in shop': true,
    'create rbac.authorization.k8s.io/roles in shop': true,
    'get secrets x in shop': true,
    'get pods in other': false,
    'list nodes': false,
  });
  check(ALICE, bind('edit'), {
    'create apps/deployments in shop': true,
    'create rbac.authorization.k8s.io/roles in shop': false,
    'create core/pods/exec x in shop': true,
  });
  check(ALICE, bind('view'), {
    'list pods in shop': true,
    'get core/pods/log x in shop': true,
    'get secrets x in shop': false,
    'create pods in shop': false,
  });
});
test('a role that others aggregate grows with them', () =>
  check(
    ALICE,
    [
      binding('b', ['ClusterRole', 'view'], toAlice),
      {
        ...role('ClusterRole', 'more', [{ verbs: ['get'], apiGroups: ['x.io'], resources: ['things'] }]),
        metadata: { name: 'more', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
      },
    ],
    { 'get x.io/things a in shop': true, 'update x.io/things a in shop': false },
  ));

test('a decision follows every change of policy at once, and says why', () => {
  const cache = createPolicyCache([role('ClusterRole', 'r', [READ_PODS])]);
  const rbac = createRbacAuthorizer(cache);
  const ask = () => rbac.authorize(request('list pods', ALICE));
  assert.equal(ask().allowed, false);
  cache.put(binding('b', ['ClusterRole', 'r'], toAlice));
  assert.deepEqual(ask(), {
    allowed: true,
    reason: 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "alice"',
  });
  cache.remove(role('ClusterRole', 'r', []));
  assert.deepEqual(ask(), { allowed: false, reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "r" not found' });
  cache.remove(binding('b', ['ClusterRole', 'r'], []));
  assert.deepEqual(ask(), { allowed: false });
});

test('masters are never locked out, and a final denial ends the union', () => {
  const rbac = createRbacAuthorizer(createPolicyCache());
  const denyAll = { authorize: () => ({ allowed: false, denied: true, reason: 'no' }) };
  assert.equal(
    unionAuthorizer(mastersAuthorizer, rbac).authorize(request('list pods', user('r', 'system:masters'))).allowed,
    true,
  );
  assert.equal(
    unionAuthorizer(denyAll, mastersAuthorizer).authorize(request('list pods', user('r', 'system:masters'))).allowed,
    false,
  );
});

test('rules cover their own parts, and never more', () => {
  const words = fc.subarray(['a', 'b', '*'], { minLength: 1 });
  const rule = fc.record({ verbs: words, apiGroups: words, resources: words });
  fc.assert(fc.property(fc.array(rule), (rules) => assert.deepEqual(uncoveredRules(rules, rules), [])));
  const held = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
  assert.equal(
    uncoveredRules(held, [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'nodes'] }]).length,
    3,
  );
  assert.equal(uncoveredRules(held, [{ ...READ_PODS, verbs: ['get'], resourceNames: ['x'] }]).length, 0);
  assert.equal(uncoveredRules([{ ...READ_PODS, resourceNames: ['x'] }], [{ ...READ_PODS, verbs: ['get'] }]).length, 1);
  assert.equal(
    uncoveredRules(
      [{ verbs: ['get'], nonResourceURLs: ['/a/*'] }],
      [{ verbs: ['get'], nonResourceURLs: ['/a/b', '/b'] }],
    ).length,
    1,
  );
});

function escalation(objects: readonly KubeObject[]) {
  const reader = createPolicyCache([...bootstrapPolicy(), ...objects]);
  const rbac = createRbacAuthorizer(reader);
  return { reader, rbac, authorizer: unionAuthorizer(mastersAuthorizer, rbac) };
}

test('nobody writes a role, or binds one, beyond their own rights', () => {
  const context = escalation([binding('b', ['ClusterRole', 'view'], toAlice, 'shop')]);
  const write = { user: ALICE, namespace: 'shop', name: 'r' };
  checkRoleEscalation(context, write, [READ_PODS]);
  assert.throws(
    () => checkRoleEscalation(context, write, [{ ...READ_PODS, verbs: ['delete'] }]),
    /not currently held:\n\{APIGroups:\[""\], Resources:\["pods"\], Verbs:\["delete"\]\}/,
  );
  checkBindingEscalation(context, write, { kind: 'ClusterRole', name: 'view' });
  assert.throws(() => checkBindingEscalation(context, write, { kind: 'ClusterRole', name: 'edit' }), {
    reason: 'Forbidden',
  });
  assert.throws(
    () => checkBindingEscalation(context, { user: ALICE, name: 'r' }, { kind: 'ClusterRole', name: 'view' }),
    { reason: 'Forbidden' },
  );
  assert.throws(() => checkBindingEscalation(context, write, { kind: 'Role', name: 'nothing' }), /not found/);
});
test('escalate and bind let one grant what one does not hold, by name', () => {
  const rules = [
    { verbs: ['escalate'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'] },
    { verbs: ['bind'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], resourceNames: ['edit'] },
  ];
  const context = escalation([role('Role', 'p', rules, 'shop'), binding('b', ['Role', 'p'], toAlice, 'shop')]);
  const write = { user: ALICE, namespace: 'shop', name: 'r' };
  checkRoleEscalation(context, write, [{ ...READ_PODS, verbs: ['*'] }]);
  checkBindingEscalation(context, write, { kind: 'ClusterRole', name: 'edit' });
  assert.throws(() => checkBindingEscalation(context, write, { kind: 'ClusterRole', name: 'admin' }), {
    reason: 'Forbidden',
  });
  checkRoleEscalation(context, { user: user('r', 'system:masters'), name: 'x' }, [
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ]);
});

test('a review lists the rules that hold in the namespace', () => {
  const rbac = createRbacAuthorizer(
    createPolicyCache([role('Role', 'r', [READ_PODS], 'shop'), binding('b', ['Role', 'r'], toAlice, 'shop')]),
  );
  assert.deepEqual(reviewRules(rbac, ALICE, 'shop'), {
    resourceRules: [READ_PODS],
    nonResourceRules: [],
    incomplete: false,
  });
  assert.deepEqual(reviewRules(rbac, ALICE, 'other').resourceRules, []);
});

test('one acts as another only where one may, with the groups that were asked for', () => {
  const admin = user('root', 'system:masters');
  const authorizer = unionAuthorizer(mastersAuthorizer, createRbacAuthorizer(createPolicyCache(bootstrapPolicy())));
  assert.equal(impersonate(authorizer, ALICE, {}), ALICE);
  assert.deepEqual(impersonate(authorizer, admin, { 'impersonate-user': 'bob', 'impersonate-group': 'dev, ops' }), {
    username: 'bob',
    groups: ['dev', 'ops', 'system:authenticated'],
  });
  assert.deepEqual(impersonate(authorizer, admin, { 'impersonate-user': 'system:serviceaccount:a:b' }).groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:a',
    'system:authenticated',
  ]);
  assert.throws(() => impersonate(authorizer, ALICE, { 'impersonate-user': 'root' }), { reason: 'Forbidden' });
  assert.throws(() => impersonate(authorizer, admin, { 'impersonate-group': 'system:masters' }), {
    reason: 'BadRequest',
  });
});

const NOW = Date.now();
const authority = createAuthority({ now: NOW });
const client = (at = NOW, by = authority): Credential =>
  issueCredential(by, clientProfile('alice', ['dev'], validFor(at, DAY_MS)), { now: at });
const key = newPrivateKey();

async function authenticated(given: {
  credential?: Credential;
  bearerToken?: string;
  revoked?: boolean;
}): Promise<string> {
  const tokens = createTokenVerifier({ keys: () => keysById([key]), clock: systemClock });
  const staticTokens = new Map([['letmein', user('robot')]]);
  const authenticator = createAuthenticator({
    authority: authority.certificate,
    clock: systemClock,
    tokens,
    staticTokens,
    isRevoked: () => given.revoked ?? false,
  });
  const { credential, bearerToken } = given;
  const result = await authenticator.authenticate({
    ...(credential && { peerCertificate: { raw: credential.certificate.der, authorized: true } }),
    ...(bearerToken !== undefined && { bearerToken }),
  });
  return result.kind === 'user' ? `${result.user.username} ${result.user.groups.join()}` : result.kind;
}

test('a client certificate of ours names user and groups; any other is refused even when TLS called it authorized', async () => {
  assert.equal(await authenticated({ credential: client() }), 'alice dev,system:authenticated');
  assert.equal(await authenticated({ credential: client(NOW - 2 * DAY_MS) }), 'refused');
  assert.equal(await authenticated({ credential: client(NOW, createAuthority({ now: NOW })) }), 'refused');
  assert.equal(await authenticated({ credential: client(), revoked: true }), 'refused');
  assert.equal(await authenticated({}), 'anonymous');
});
test('a bearer token is a service account’s or a fixed one; anything else is refused', async () => {
  const { token } = createTokenIssuer({ key, clock: systemClock }).issue({
    namespace: 'a',
    serviceAccount: { name: 'b', uid: 'c' },
  });
  assert.match(await authenticated({ bearerToken: token }), /^system:serviceaccount:a:b /);
  assert.match(await authenticated({ bearerToken: 'letmein' }), /^robot/);
  assert.equal(await authenticated({ bearerToken: 'letmeinn' }), 'refused');
  assert.equal(await authenticated({ bearerToken: '' }), 'refused');
  assert.match(
    await authenticated({ credential: client(NOW - 2 * DAY_MS), bearerToken: token }),
    /^system:serviceaccount:a:b /,
  );
});
