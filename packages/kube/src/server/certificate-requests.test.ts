import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scratchServer } from './testing/scratch-server.ts';

const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const APPROVED = { type: 'Approved', status: 'True', reason: 'Test' };

function body(spec: object = {}): object {
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'r1' },
    spec: { request: 'YQ==', signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], ...spec },
  };
}

function server(allows: (verb: string, name: string | undefined) => boolean = () => true) {
  return scratchServer({
    authorizer: {
      authorize: ({ verb, resource }) => ({ allowed: resource?.resource !== 'signers' || allows(verb, resource.name) }),
    },
  });
}

test('the server says who asked, and what was asked for stays', async () => {
  const { ask } = server();
  const user = { username: 'bob', groups: ['team'], uid: 'u1' };
  const made = await ask('POST', REQUESTS, { body: body({ username: 'root', groups: ['system:masters'] }), user });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual([made.json.spec.username, made.json.spec.groups, made.json.spec.uid], ['bob', ['team'], 'u1']);
  const patch = { metadata: { labels: { a: 'b' } }, spec: { signerName: 'example.com/other', username: 'root' } };
  const { json } = await ask('PATCH', `${REQUESTS}/r1`, { body: patch, headers: MERGE });
  assert.deepEqual([json.metadata.labels, json.spec], [{ a: 'b' }, made.json.spec]);
});

test('requests that nobody could sign are refused by the field that is wrong', async () => {
  const { ask } = server();
  const refused = async (spec: object) => {
    const { status, json } = await ask('POST', REQUESTS, { body: body(spec) });
    return [status, ...(json.details?.causes ?? []).map(({ field }: { field: string }) => field)];
  };
  assert.deepEqual(await refused({ usages: [] }), [422, 'spec.usages']);
  assert.deepEqual(await refused({ usages: ['client auth', 'client auth', 'flying'] }), [
    422,
    'spec.usages[1]',
    'spec.usages[2]',
  ]);
  assert.deepEqual(await refused({ signerName: 'nobody' }), [422, 'spec.signerName']);
  assert.deepEqual(await refused({ expirationSeconds: 599 }), [422, 'spec.expirationSeconds']);
  assert.deepEqual(await refused({ request: '' }), [422, 'spec.request']);
});

test('who approves or signs must be allowed to for the signer', async () => {
  const { ask } = server((verb, name) => verb === 'approve' && name === 'kubernetes.io/*');
  await ask('POST', REQUESTS, { body: body() });
  const status = (change: object, subresource: string) =>
    ask('PATCH', `${REQUESTS}/r1/${subresource}`, { body: { status: change }, headers: MERGE });
  const refused = await status({ certificate: 'YQ==' }, 'status');
  assert.equal(refused.status, 403);
  assert.match(
    refused.json.message,
    /user not permitted to sign requests with signerName "kubernetes\.io\/kube-apiserver-client"/,
  );
  const { json } = await status({ conditions: [APPROVED], certificate: 'YQ==' }, 'approval');
  assert.deepEqual([json.status.conditions[0].type, json.status.certificate], ['Approved', undefined]);
  assert.ok(json.status.conditions[0].lastUpdateTime);
  const { ask: other } = server(() => false);
  await other('POST', REQUESTS, { body: body() });
  const denied = await other('PATCH', `${REQUESTS}/r1/approval`, {
    body: { status: { conditions: [APPROVED] } },
    headers: MERGE,
  });
  assert.equal(denied.status, 403);
});

test('a decision is for good', async () => {
  const { ask } = server();
  await ask('POST', REQUESTS, { body: body() });
  const write = async (status: object, subresource: string) => {
    const answer = await ask('PATCH', `${REQUESTS}/r1/${subresource}`, { body: { status }, headers: MERGE });
    return answer.status === 200 ? 'ok' : answer.json.message;
  };
  assert.match(await write({ conditions: [APPROVED] }, 'status'), /may not add a condition of type "Approved"/);
  assert.match(await write({ conditions: [{ ...APPROVED, status: 'False' }] }, 'approval'), /supported values: "True"/);
  const both = [APPROVED, { ...APPROVED, type: 'Denied' }];
  assert.match(await write({ conditions: both }, 'approval'), /mutually exclusive/);
  assert.equal(await write({ conditions: [APPROVED] }, 'approval'), 'ok');
  assert.match(await write({ conditions: [] }, 'approval'), /may not remove a condition of type "Approved"/);
  assert.match(await write({ conditions: [] }, 'status'), /may not remove a condition of type "Approved"/);
  assert.equal(await write({ certificate: 'YQ==' }, 'status'), 'ok');
  assert.match(await write({ certificate: 'Yg==' }, 'status'), /may not modify existing certificate content/);
});
