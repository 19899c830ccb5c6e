import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gvr, type KubeObject, StatusError } from '@skerry/api';
import { clientOver } from './client-over.ts';
import type { Client } from './contract.ts';
import type { WireRequest, WireResponse } from './transport.ts';

const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' };
const DEPLOYMENTS: Gvr = { group: 'apps', version: 'v1', resource: 'deployments' };

interface Expected {
  readonly sends?: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly gives?: unknown;
  readonly fails?: { readonly code: number; readonly reason: string; readonly message?: string };
}

/** Lets `call` run against a server that answers `answer`; compares the request and the outcome. */
async function check(
  call: (client: Client) => Promise<unknown>,
  answer: Partial<WireResponse> & { readonly json?: unknown },
  expected: Expected,
): Promise<void> {
  const requests: WireRequest[] = [];
  const client = clientOver(async (request) => {
    requests.push(request);
    return { status: 200, headers: {}, body: JSON.stringify(answer.json ?? {}), ...answer };
  });
  const outcome = await call(client).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const [request] = requests;
  assert.ok(request);
  const search = request.query.size > 0 ? `?${request.query}` : '';
  if (expected.sends !== undefined) assert.equal(`${request.method} ${request.path}${search}`, expected.sends);
  if (expected.contentType !== undefined) assert.equal(request.contentType, expected.contentType);
  if ('body' in expected) assert.deepEqual(request.body && JSON.parse(request.body), expected.body);
  if (expected.fails === undefined) {
    assert.ok('value' in outcome, `failed: ${'error' in outcome ? outcome.error : ''}`);
    if ('gives' in expected) assert.deepEqual(outcome.value, expected.gives);
    return;
  }
  assert.ok('error' in outcome && outcome.error instanceof StatusError, 'failed with a StatusError');
  const { code, reason, message } = expected.fails;
  assert.equal(outcome.error.code, code);
  assert.equal(outcome.error.reason, reason);
  if (message !== undefined) assert.equal(outcome.error.message, message);
}

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const pod: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop' } };

test('a get names group, namespace and name in the path', () =>
  check(
    (client) => client.get({ gvr: DEPLOYMENTS, namespace: 'shop', name: 'web' }),
    { json: pod },
    { sends: 'GET /apis/apps/v1/namespaces/shop/deployments/web', gives: pod },
  ));

test('a list of built-in kinds gives its items the types that the wire leaves out', () =>
  check(
    (client) => client.list(PODS, { labelSelector: 'app=web', limit: 2 }),
    { json: { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [{ metadata: { name: 'web' } }] } },
    {
      sends: 'GET /api/v1/pods?labelSelector=app%3Dweb&limit=2',
      gives: {
        kind: 'PodList',
        apiVersion: 'v1',
        metadata: {},
        items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } }],
      },
    },
  ));

test('a list with null items is an empty list', () =>
  check(
    (client) => client.list(PODS),
    { json: { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: null } },
    { gives: { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [] } },
  ));

test('a create posts to the namespace of the object', () =>
  check(
    (client) => client.create(PODS, pod, { fieldManager: 'test', dryRun: true }),
    { json: pod },
    {
      sends: 'POST /api/v1/namespaces/shop/pods?fieldManager=test&dryRun=All',
      body: pod,
      contentType: 'application/json',
    },
  ));

test('an update of status puts to the subresource', () =>
  check(
    (client) => client.update(PODS, pod, { subresource: 'status' }),
    { json: pod },
    { sends: 'PUT /api/v1/namespaces/shop/pods/web/status', body: pod },
  ));

test('an apply patch says whether it takes fields over', () =>
  check(
    (client) => client.patch({ gvr: PODS, namespace: 'shop', name: 'web' }, pod, { type: 'apply', force: true }),
    { json: pod },
    { sends: 'PATCH /api/v1/namespaces/shop/pods/web?force=true', contentType: 'application/apply-patch+yaml' },
  ));

test('a delete sends its options as a body', () =>
  check(
    (client) => client.delete({ gvr: PODS, namespace: 'shop', name: 'web' }, { gracePeriodSeconds: 0, uid: 'u' }),
    {},
    {
      sends: 'DELETE /api/v1/namespaces/shop/pods/web',
      body: { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0, preconditions: { uid: 'u' } },
    },
  ));

test('a delete without options has no body', () =>
  check(
    (client) => client.delete({ gvr: PODS, namespace: 'shop', name: 'web' }),
    {},
    { sends: 'DELETE /api/v1/namespaces/shop/pods/web', body: undefined },
  ));

test('a binding is posted to the subresource of the pod', () =>
  check(
    (client) =>
      client.createSubresource({ gvr: PODS, namespace: 'shop', name: 'web' }, 'binding', { target: { name: 'n1' } }),
    {},
    { sends: 'POST /api/v1/namespaces/shop/pods/web/binding', body: { target: { name: 'n1' } } },
  ));

test('a streaming list asks for the version semantics that it needs', () =>
  check(
    (client) => collect(client.watch(PODS, { sendInitialEvents: true, allowWatchBookmarks: true })),
    { body: '' },
    {
      sends:
        'GET /api/v1/pods?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan',
      gives: [],
    },
  ));

test('watch events are cut at line ends wherever the chunks end', () =>
  check(
    (client) => collect(client.watch(PODS)),
    {
      body: (async function* () {
        yield '{"type":"ADDED","obj';
        yield 'ect":{"kind":"Pod"}}\n{"type":"DEL';
        yield new TextEncoder().encode('ETED","object":{"kind":"Pod"}}\n');
      })(),
    },
    {
      gives: [
        { type: 'ADDED', object: { kind: 'Pod' } },
        { type: 'DELETED', object: { kind: 'Pod' } },
      ],
    },
  ));

test('an ERROR event in a watch rejects with its Status', () =>
  check(
    (client) => collect(client.watch(PODS)),
    {
      body: '{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410,"reason":"Expired","message":"too old"}}\n',
    },
    { fails: { code: 410, reason: 'Expired', message: 'too old' } },
  ));

test('a watch that is refused rejects with the Status of the answer', () =>
  check(
    (client) => collect(client.watch(PODS)),
    { status: 403, body: '{"kind":"Status","status":"Failure","code":403,"reason":"Forbidden","message":"no"}' },
    { fails: { code: 403, reason: 'Forbidden', message: 'no' } },
  ));

test('a failure whose body is no Status still becomes one', () =>
  check(
    (client) => client.get({ gvr: PODS, name: 'web' }),
    { status: 404, body: '404 page not found\n' },
    { fails: { code: 404, reason: 'NotFound', message: 'the server answered 404: 404 page not found' } },
  ));
