import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ScratchServer, scratchServer } from '../../testing/scratch-server.ts';

const URL = '/api/v1/namespaces/default';
const CPU = { cpu: '500m', memory: '64Mi' };

const pod = (name: string, resources: object = {}, spec: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'host', resources }], ...spec },
});

/** Runs `story` in a namespace with one quota. */
async function check(spec: object, story: (server: Asked) => Promise<void>): Promise<void> {
  const server = scratchServer();
  await server.ask('POST', `${URL}/resourcequotas`, { body: { metadata: { name: 'q' }, spec } });
  const send = async (method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object, query = '') => {
    const { status, json } = await server.ask(method, `${URL}/${path}${query}`, body === undefined ? {} : { body });
    return status < 300 ? 'done' : `${json.code} ${json.message}`;
  };
  await story({ ...server, send });
}

interface Asked extends ScratchServer {
  readonly send: (method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object, query?: string) => Promise<string>;
}

test('what is beyond a quota is refused, and what went makes room', () =>
  check({ hard: { pods: '1', configmaps: '1' } }, async ({ send }) => {
    assert.equal(await send('POST', 'pods', pod('a')), 'done');
    assert.equal(
      await send('POST', 'pods', pod('b')),
      '403 pods "b" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
    );
    assert.equal(await send('DELETE', 'pods/a'), 'done');
    assert.equal(await send('POST', 'pods', pod('b'), '?dryRun=All'), 'done');
    assert.equal(await send('POST', 'pods', pod('b')), 'done');
    assert.equal(await send('POST', 'configmaps', { metadata: { name: 'm' } }), 'done');
    assert.match(
      await send('POST', 'configmaps', { metadata: { name: 'n' } }),
      /exceeded quota: q, requested: configmaps=1/,
    );
    assert.equal(await send('POST', 'secrets', { metadata: { name: 's' } }), 'done');
  }));

test('of writes that come together only as many pass as there is room for', () =>
  check({ hard: { pods: '3' } }, async ({ send }) => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, number) => send('POST', 'pods', pod(`p${number}`))),
    );
    assert.equal(answers.filter((answer) => answer === 'done').length, 3);
  }));

test('a write that is refused for other reasons takes nothing', () =>
  check({ hard: { pods: '1' } }, async ({ send }) => {
    assert.match(await send('POST', 'pods', pod('a', {}, { restartPolicy: 'Sometimes' })), /^422/);
    assert.equal(await send('POST', 'pods', pod('a')), 'done');
  }));

test('compute resources are summed, and must be named', () =>
  check({ hard: { 'requests.cpu': '1', 'limits.memory': '128Mi' } }, async ({ send }) => {
    const bare = await send('POST', 'pods', pod('a'));
    assert.equal(
      bare,
      '403 pods "a" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c',
    );
    assert.equal(await send('POST', 'pods', pod('a', { requests: CPU, limits: CPU })), 'done');
    assert.equal(
      await send('POST', 'pods', pod('b', { requests: { cpu: '600m' }, limits: { cpu: '1', memory: '64Mi' } })),
      '403 pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=500m, limited: requests.cpu=1',
    );
  }));

test('pods out of the scope of a quota are none of its business', () =>
  check({ hard: { pods: '0' }, scopes: ['BestEffort'] }, async ({ send }) => {
    assert.match(await send('POST', 'pods', pod('a')), /exceeded quota/);
    assert.equal(await send('POST', 'pods', pod('a', { requests: CPU })), 'done');
  }));

test('an update pays for what it adds, in services and claims', () =>
  check({ hard: { 'services.nodeports': '1', 'requests.storage': '2Gi' } }, async ({ send }) => {
    const service = (type: string, ports: number) => ({
      metadata: { name: 's' },
      spec: { type, ports: Array.from({ length: ports }, (_, port) => ({ name: `p${port}`, port: port + 1 })) },
    });
    assert.equal(await send('POST', 'services', service('ClusterIP', 2)), 'done');
    assert.match(
      await send('PUT', 'services/s', service('NodePort', 2)),
      /requested: services.nodeports=2, used: services.nodeports=0/,
    );
    assert.equal(await send('PUT', 'services/s', service('NodePort', 1)), 'done');
    assert.equal(await send('PUT', 'services/s', service('NodePort', 1)), 'done');
    const claim = (storage: string) => ({
      metadata: { name: 'c' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    });
    assert.match(await send('POST', 'persistentvolumeclaims', claim('3Gi')), /requested: requests.storage=3Gi/);
    assert.equal(await send('POST', 'persistentvolumeclaims', claim('2Gi')), 'done');
  }));

test('any kind can be counted', () =>
  check({ hard: { 'count/leases.coordination.k8s.io': '1' } }, async ({ ask }) => {
    const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    assert.equal((await ask('POST', leases, { body: { metadata: { name: 'a' } } })).status, 201);
    assert.equal((await ask('POST', leases, { body: { metadata: { name: 'b' } } })).status, 403);
  }));
