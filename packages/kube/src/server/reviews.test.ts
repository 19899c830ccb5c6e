import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attributes } from '@skerry/api';
import type { ApiServerOptions } from './api-server.ts';
import { scratchServer } from './testing/scratch-server.ts';

const BOB = { username: 'bob', groups: ['team', 'system:authenticated'], extra: { origin: ['here'] } };

/** Bob may get pods; whoever is asked about is remembered. */
function onlyBob(): { asked: Attributes[]; options: Partial<ApiServerOptions> } {
  const asked: Attributes[] = [];
  const authorize = (attributes: Attributes) => {
    asked.push(attributes);
    const { user, verb, resource } = attributes;
    const isReview = resource?.group.endsWith('authorization.k8s.io') || resource?.group === 'authentication.k8s.io';
    return {
      allowed: isReview || (user.username === 'bob' && verb === 'get' && resource?.resource === 'pods'),
      reason: 'because',
    };
  };
  return { asked, options: { authorizer: { authorize } } };
}

const SPEC = { spec: { nonResourceAttributes: { path: '/', verb: 'get' } } };

const review = (resource: string) => `/apis/authorization.k8s.io/v1/${resource}`;

test('a user may ask what they may do', async () => {
  const { options } = onlyBob();
  const { ask } = scratchServer(options);
  const can = async (verb: string) => {
    const body = { spec: { resourceAttributes: { verb, resource: 'pods', namespace: 'default' } } };
    return (await ask('POST', review('selfsubjectaccessreviews'), { body, user: BOB })).json;
  };
  const answer = await can('get');
  assert.equal(answer.kind, 'SelfSubjectAccessReview');
  assert.deepEqual(answer.status, { allowed: true, reason: 'because' });
  assert.equal((await can('delete')).status.allowed, false);
});

test('others may be asked about', async () => {
  const { options, asked } = onlyBob();
  const { ask } = scratchServer(options);
  const spec = { user: 'bob', groups: ['x'], resourceAttributes: { verb: 'get', resource: 'pods' } };
  const { json } = await ask('POST', review('subjectaccessreviews'), { body: { spec } });
  assert.equal(json.status.allowed, true);
  assert.deepEqual(asked.at(-1)?.user, { username: 'bob', groups: ['x'] });
  const local = '/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews';
  assert.equal((await ask('POST', local, { body: { spec } })).status, 400);
});

test('a user may ask who they are', async () => {
  const { ask } = scratchServer();
  const { json } = await ask('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {}, user: BOB });
  assert.deepEqual(json.status.userInfo, BOB);
});

test('a review has no columns: a Table of it is not to be had, and an object where that will do', async () => {
  const { ask } = scratchServer();
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const answer = (accept: string) =>
    ask('POST', review('selfsubjectaccessreviews'), { body: SPEC, headers: { accept } });
  assert.equal((await answer(table)).status, 406);
  assert.equal((await answer(`${table}, application/json`)).json.kind, 'SelfSubjectAccessReview');
});

test('a token is reviewed by who issued it', async () => {
  const reviewToken = (token: string) =>
    Promise.resolve(token === 'good' ? { authenticated: true as const, user: BOB } : { authenticated: false as const });
  const { ask } = scratchServer({ access: { reviewToken } });
  const ofToken = async (token: string) =>
    (await ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body: { spec: { token } } })).json.status;
  assert.equal((await ofToken('good')).user.username, 'bob');
  assert.equal((await ofToken('bad')).authenticated, false);
});

test('who may not is told so in the words of Kubernetes', async () => {
  const { options } = onlyBob();
  const { ask } = scratchServer(options);
  const { status, json } = await ask('DELETE', '/api/v1/namespaces/default/pods/p', { user: BOB });
  assert.equal(status, 403);
  assert.equal(
    json.message,
    'pods "p" is forbidden: User "bob" cannot delete resource "pods" in API group "" in the namespace "default": because',
  );
  assert.equal(
    (await ask('GET', '/metrics', { user: BOB })).json.message,
    'forbidden: User "bob" cannot get path "/metrics": because',
  );
});

test('acting as another is asked of security, and refused where nobody can say', async () => {
  const { options, asked } = onlyBob();
  const impersonate = () => ({ username: 'alice', groups: [] });
  const headers = { 'impersonate-user': 'alice' };
  await scratchServer({ ...options, access: { impersonate } }).ask('GET', '/version', { headers, user: BOB });
  assert.equal(asked.at(-1)?.user.username, 'alice');
  assert.equal((await scratchServer(options).ask('GET', '/version', { headers, user: BOB })).status, 400);
  assert.equal(
    (await scratchServer(options).ask('GET', '/version', { headers: { 'impersonate-group': 'x' } })).status,
    400,
  );
});

test('each request is audited but what happens all the time', async () => {
  const paths: string[] = [];
  const { ask } = scratchServer({ audit: { append: ({ verb, path, code }) => paths.push(`${code} ${verb} ${path}`) } });
  await ask('GET', '/api/v1/namespaces/default/configmaps/none');
  await ask('POST', '/api/v1/namespaces/default/events', { body: {} });
  await ask('PATCH', '/api/v1/nodes/n/status', { body: {} });
  await ask('GET', '/apis/coordination.k8s.io/v1/leases');
  assert.deepEqual(paths, ['404 get /api/v1/namespaces/default/configmaps/none']);
});
