import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiRequest, ApiResponse } from '../server/contract.ts';
import { streamPair } from '../streaming/stream-pair.ts';
import { answerForwarded, forwardRequest, MAX_FORWARDED_BODY_BYTES } from './forward.ts';

function request(username: string, body = ''): ApiRequest {
  return {
    method: 'POST',
    path: '/api/v1/namespaces/default/configmaps',
    query: new URLSearchParams('fieldManager=test'),
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(body),
    user: { username, groups: ['system:masters'] },
    signal: new AbortController().signal,
  };
}

/** A cloud that says who asked and what; only the account `default/app` has pods on the node. */
async function ask(asked: ApiRequest): Promise<ApiResponse> {
  const handle = async ({ user, path, query, body }: ApiRequest): Promise<ApiResponse> => ({
    status: 201,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      user: user.username,
      groups: user.groups,
      path,
      query: query.toString(),
      size: body?.length ?? 0,
    }),
  });
  const isOnNode = (_node: string, namespace: string, name: string) => `${namespace}/${name}` === 'default/app';
  return forwardRequest(async (header, signal) => {
    const { opener, answerer } = streamPair();
    answerForwarded({ handle, isOnNode }, 'edge-1', header, answerer, signal).then(
      () => answerer.end(),
      (error: Error) => answerer.abort(error.message),
    );
    return opener;
  }, asked);
}

function check(asked: ApiRequest, expected: object): Promise<void> {
  return ask(asked).then(({ status, body }) => {
    assert.equal(status, 201);
    const actual = JSON.parse(Buffer.from(body as Uint8Array).toString()) as object;
    assert.deepEqual({ ...actual, ...expected }, actual);
  });
}

test('an account whose pods are on the node is spoken for, with the groups the cloud gives it', () =>
  check(request('system:serviceaccount:default:app', '{}'), {
    user: 'system:serviceaccount:default:app',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    query: 'fieldManager=test',
    size: 2,
  }));

test('an account without pods on the node is refused, and not taken for the node', () =>
  assert.rejects(ask(request('system:serviceaccount:kube-system:root')), /may not speak for .*kube-system\/root/));

test('anybody else is only the node: not an administrator, not another node', async () => {
  for (const username of ['kubernetes-admin', 'system:node:edge-2']) {
    await check(request(username), { user: 'system:node:edge-1', groups: ['system:nodes', 'system:authenticated'] });
  }
});

test('large bodies go through in pieces, larger ones are refused', async () => {
  await check(request('x', 'y'.repeat(1_000_000)), { size: 1_000_000 });
  await assert.rejects(ask(request('x', 'y'.repeat(MAX_FORWARDED_BODY_BYTES + 1))), /exceeds|closed/);
});
