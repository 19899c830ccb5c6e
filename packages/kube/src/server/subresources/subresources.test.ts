import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError, type UserInfo } from '@skerry/api';
import type { MessageStream, NodeStreamRequest } from '../../streaming/contract.ts';
import type { TokenGrant } from '../access-hooks.ts';
import type { ApiServerOptions } from '../api-server.ts';
import { requestOf, type ScratchServer, scratchServer } from '../testing/scratch-server.ts';

const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const MERGE = { 'content-type': 'application/merge-patch+json' };

const containers = (...names: string[]) => names.map((name) => ({ name, image: 'host' }));
const pod = (name: string, spec: object = {}) => ({
  metadata: { name, labels: { app: 'web' } },
  spec: { containers: containers('c'), ...spec },
});

async function withPod(spec: object = {}, options: Partial<ApiServerOptions> = {}): Promise<ScratchServer> {
  const scratch = scratchServer(options);
  await scratch.ask('POST', PODS, { body: pod('p', spec) });
  return scratch;
}

test('scale reads and writes replicas of whatever has them', async () => {
  const { ask } = scratchServer();
  await ask('POST', DEPLOYMENTS, {
    body: {
      metadata: { name: 'web' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: containers('c') } },
      },
    },
  });
  const scale = await ask('GET', `${DEPLOYMENTS}/web/scale`);
  assert.deepEqual([scale.json.kind, scale.json.spec.replicas, scale.json.status.selector], ['Scale', 2, 'app=web']);
  const put = await ask('PUT', `${DEPLOYMENTS}/web/scale`, { body: { ...scale.json, spec: { replicas: 5 } } });
  assert.equal(put.json.spec.replicas, 5);
  const stale = await ask('PUT', `${DEPLOYMENTS}/web/scale`, { body: scale.json });
  assert.equal(stale.status, 409);
  await ask('PATCH', `${DEPLOYMENTS}/web/scale`, { body: { spec: { replicas: 1 } }, headers: MERGE });
  const { json } = await ask('GET', `${DEPLOYMENTS}/web`);
  assert.deepEqual([json.spec.replicas, json.metadata.generation], [1, 3]);
  assert.equal(
    (await ask('PATCH', `${DEPLOYMENTS}/web/scale`, { body: { spec: { replicas: -1 } }, headers: MERGE })).status,
    422,
  );
});

test('a pod is bound once', async () => {
  const { ask } = await withPod();
  const binding = { target: { kind: 'Node', name: 'n1' } };
  assert.equal((await ask('POST', `${PODS}/p/binding`, { body: binding })).status, 201);
  const { json } = await ask('GET', `${PODS}/p`);
  assert.equal(json.spec.nodeName, 'n1');
  assert.deepEqual(
    json.status.conditions.map(({ type, status }: { type: string; status: string }) => [type, status]),
    [['PodScheduled', 'True']],
  );
  const again = await ask('POST', '/api/v1/namespaces/default/bindings', {
    body: { metadata: { name: 'p' }, ...binding },
  });
  assert.equal(again.status, 409);
  assert.match(again.json.message, /pod p is already assigned to node "n1"/);
  assert.equal((await ask('POST', `${PODS}/p/binding`, { body: { target: {} } })).status, 422);
});

test('an eviction asks the disruption budgets', async () => {
  const { ask, options } = await withPod({ nodeName: 'n1' });
  await ask('PATCH', `${PODS}/p/status`, { body: { status: { phase: 'Running' } }, headers: MERGE });
  const budget = { metadata: { name: 'b' }, spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } } };
  await ask('POST', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', { body: budget });
  const refused = await ask('POST', `${PODS}/p/eviction`, { body: { metadata: { name: 'p' } } });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers['retry-after'], '10');
  await ask('PATCH', '/apis/policy/v1/namespaces/default/poddisruptionbudgets/b/status', {
    body: { status: { disruptionsAllowed: 1, observedGeneration: 1 } },
    headers: MERGE,
  });
  const evicted = await ask('POST', `${PODS}/p/eviction`, { body: { deleteOptions: { gracePeriodSeconds: 0 } } });
  assert.equal(evicted.status, 201);
  assert.equal(options.store.get('/pods/default/p'), undefined);
});

for (const [name, given, body, status] of [
  ['precondition', {}, { deleteOptions: { preconditions: { uid: 'another' } } }, 409],
  [
    'policy of the replica',
    {
      replica: {
        writePolicy: ({ verb }) =>
          verb === 'delete' ? new StatusError(503, 'ServiceUnavailable', 'cut off') : 'allow',
        forward: () => assert.fail('nothing is forwarded'),
      },
    },
    {},
    503,
  ],
  [
    'admission',
    {
      admission: [
        {
          name: 'keeps-pods',
          admit: (_engine, { operation }) => {
            if (operation === 'DELETE') throw new StatusError(403, 'Forbidden', 'pods stay');
          },
        },
      ],
    },
    {},
    403,
  ],
] as const satisfies readonly (readonly [string, Partial<ApiServerOptions>, object, number])[])
  test(`an eviction that the ${name} refuses leaves no mark and takes nothing from the budget`, async () => {
    const { ask, options } = await withPod({ nodeName: 'n1' }, given);
    await ask('PATCH', `${PODS}/p/status`, { body: { status: { phase: 'Running' } }, headers: MERGE });
    const budget = { metadata: { name: 'b' }, spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } } };
    const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
    assert.equal((await ask('POST', budgets, { body: budget })).status, 201);
    const allowed = { status: { disruptionsAllowed: 1, observedGeneration: 1 } };
    assert.equal((await ask('PATCH', `${budgets}/b/status`, { body: allowed, headers: MERGE })).status, 200);
    const before = options.store.revision;
    assert.equal((await ask('POST', `${PODS}/p/eviction`, { body })).status, status);
    assert.equal(options.store.revision, before);
  });

test('ephemeral containers are added to a pod through their own door only', async () => {
  const { ask } = await withPod({ nodeName: 'n1' });
  const body = { spec: { ephemeralContainers: [{ name: 'debug', image: 'host' }], nodeName: 'other' } };
  const headers = { 'content-type': 'application/strategic-merge-patch+json' };
  const { json } = await ask('PATCH', `${PODS}/p/ephemeralcontainers`, { body, headers });
  assert.equal(json.spec.nodeName, 'n1');
  assert.equal(json.spec.ephemeralContainers[0].name, 'debug');
});

test('a token is asked for with the pod it ends with, and a node gets those of its own pods only', async () => {
  const grants: TokenGrant[] = [];
  const issueToken = (grant: TokenGrant) => {
    grants.push(grant);
    const claims = { audiences: grant.audiences ?? ['the-api'] };
    return { token: 'secret', expirationTimestamp: '2026-01-01T01:00:00Z', claims };
  };
  const { ask } = await withPod({ nodeName: 'n1' }, { access: { issueToken } });
  await ask('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } });
  const { uid } = (await ask('GET', `${PODS}/p`)).json.metadata;
  const url = '/api/v1/namespaces/default/serviceaccounts/default/token';
  const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'p', uid };
  const body = { spec: { audiences: ['api'], expirationSeconds: 3600, boundObjectRef } };
  const node = (name: string): UserInfo => ({ username: `system:node:${name}`, groups: ['system:nodes'] });
  const { status, json } = await ask('POST', url, { body, user: node('n1') });
  assert.equal(status, 201);
  assert.equal(json.status.token, 'secret');
  assert.deepEqual(json.spec.audiences, ['api']);
  assert.deepEqual((await ask('POST', url, { body: { spec: {} } })).json.spec.audiences, ['the-api']);
  assert.deepEqual(grants[0]?.pod, { name: 'p', uid });
  assert.equal((await ask('POST', url, { body, user: node('n2') })).status, 403);
  assert.equal((await ask('POST', url, { body: { spec: {} }, user: node('n1') })).status, 403);
  assert.equal((await ask('POST', url, { body: { spec: { expirationSeconds: 5 } } })).status, 422);
  const other = { spec: { boundObjectRef: { ...boundObjectRef, uid: 'other' } } };
  assert.equal((await ask('POST', url, { body: other })).status, 409);
});

/** A node that answers every stream with two messages, and remembers what it was asked. */
function oneNode() {
  const asked: { node: string; request: NodeStreamRequest }[] = [];
  const stream: MessageStream = {
    send: () => Promise.resolve(),
    incoming: (async function* () {
      yield Buffer.from('one\n');
      yield Buffer.from('two\n');
    })(),
    end: () => {},
    abort: () => {},
    closed: Promise.resolve(),
  };
  return {
    asked,
    dialer: {
      open: (node: string, request: NodeStreamRequest) => {
        asked.push({ node, request });
        if (node === 'away')
          return Promise.reject(new StatusError(503, 'ServiceUnavailable', 'node away is not connected'));
        return Promise.resolve(stream);
      },
    },
  };
}

test('logs are streamed from the node of the pod', async () => {
  const { asked, dialer } = oneNode();
  const { ask } = await withPod({ nodeName: 'n1' }, { dialer });
  const query = 'follow=true&tailLines=5&timestamps=1&sinceSeconds=9&previous=false';
  const answer = await ask('GET', `${PODS}/p/log?${query}`);
  assert.deepEqual([answer.status, answer.text], [200, 'one\ntwo\n']);
  assert.deepEqual(asked, [
    {
      node: 'n1',
      request: {
        kind: 'log',
        namespace: 'default',
        pod: 'p',
        container: 'c',
        follow: true,
        timestamps: true,
        tailLines: 5,
        sinceSeconds: 9,
      },
    },
  ]);
  assert.equal((await ask('GET', `${PODS}/p/log?container=x`)).status, 400);
  assert.equal((await ask('GET', `${PODS}/p/log?tailLines=-1`)).status, 422);
});

test('a pod of two containers asks which, one that is away says so, one that is nowhere has no log', async () => {
  const { dialer } = oneNode();
  const two = await withPod({ nodeName: 'n1', containers: containers('a', 'b') }, { dialer });
  assert.match((await two.ask('GET', `${PODS}/p/log`)).json.message, /choose one of: \[a b\]/);
  const away = await withPod({ nodeName: 'away' }, { dialer });
  assert.equal((await away.ask('GET', `${PODS}/p/log`)).status, 503);
  const nowhere = await withPod({}, { dialer });
  assert.deepEqual([(await nowhere.ask('GET', `${PODS}/p/log`)).text], ['']);
});

test('exec and port-forward name the node and the container, and need the right to create', async () => {
  const verbs: string[] = [];
  const authorizer = {
    authorize: ({ verb, resource }: { verb: string; resource?: { subresource?: string } }) => {
      if (resource?.subresource === 'exec') verbs.push(verb);
      return { allowed: true };
    },
  };
  const { server } = await withPod({ nodeName: 'n1' }, { authorizer });
  const plan = (url: string) => server.planUpgrade(requestOf('GET', url, {}));
  assert.deepEqual(await plan(`${PODS}/p/exec?command=ls&command=-l&stdout=1&tty=true`), {
    kind: 'exec',
    node: 'n1',
    request: {
      kind: 'exec',
      namespace: 'default',
      pod: 'p',
      container: 'c',
      command: ['ls', '-l'],
      stdin: false,
      stdout: true,
      stderr: false,
      tty: true,
    },
  });
  assert.deepEqual(verbs, ['get', 'create']);
  assert.deepEqual(await plan(`${PODS}/p/portforward`), {
    kind: 'portforward',
    node: 'n1',
    namespace: 'default',
    pod: 'p',
    ports: [],
  });
  const refused = (await plan(`${PODS}/p/exec?stdout=1`)) as { status: number };
  assert.equal(refused.status, 400);
  assert.equal(((await plan(`${PODS}/p/status`)) as { status: number }).status, 405);
});
