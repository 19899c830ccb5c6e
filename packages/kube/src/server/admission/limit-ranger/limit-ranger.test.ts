import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scratchServer } from '../../testing/scratch-server.ts';

const URL = '/api/v1/namespaces/default';

interface Outcome {
  readonly message?: string;
  readonly resources?: object;
  readonly note?: string;
}

async function check(limits: readonly object[], resources: object, expected: Outcome): Promise<void> {
  const { ask } = scratchServer();
  await ask('POST', `${URL}/limitranges`, { body: { metadata: { name: 'l' }, spec: { limits } } });
  const body = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'host', resources }] } };
  const { json } = await ask('POST', `${URL}/pods`, { body });
  const outcome =
    json.kind === 'Status'
      ? { message: json.message }
      : {
          resources: json.spec.containers[0].resources,
          note: json.metadata.annotations?.['kubernetes.io/limit-ranger'],
        };
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(outcome[name as keyof typeof outcome], value);
}

const DEFAULTS = { type: 'Container', default: { cpu: '200m', memory: '1Gi' }, defaultRequest: { cpu: '100m' } };

test('containers that say nothing get the defaults, those that do keep what they said', async () => {
  await check(
    [DEFAULTS],
    {},
    {
      resources: { limits: { cpu: '200m', memory: '1Gi' }, requests: { cpu: '100m', memory: '1Gi' } },
      note: 'LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c',
    },
  );
  await check(
    [DEFAULTS],
    { requests: { cpu: '150m' } },
    {
      resources: { limits: { cpu: '200m', memory: '1Gi' }, requests: { cpu: '150m', memory: '1Gi' } },
      note: 'LimitRanger plugin set: memory request for container c; cpu, memory limit for container c',
    },
  );
});

test('what is out of bounds is refused in words', async () => {
  const bounds = (type: string) => [{ type, min: { cpu: '100m' }, max: { cpu: '1' } }];
  const few = { requests: { cpu: '50m' }, limits: { cpu: '500m' } };
  const refusal = (why: string) => ({ message: `pods "p" is forbidden: ${why}` });
  await check(bounds('Container'), few, refusal('minimum cpu usage per Container is 100m, but request is 50m'));
  await check(
    bounds('Pod'),
    {},
    {
      message:
        'pods "p" is forbidden: [minimum cpu usage per Pod is 100m.  No request is specified, maximum cpu usage per Pod is 1.  No limit is specified]',
    },
  );
  const much = { requests: { cpu: '2' }, limits: { cpu: '3' } };
  await check(bounds('Container'), much, refusal('maximum cpu usage per Container is 1, but limit is 3'));
  await check(bounds('Pod'), { requests: { cpu: '200m' }, limits: { cpu: '500m' } }, {});
});

test('limits stay near requests', async () => {
  const ratio = (cpu: string) => [{ type: 'Container', maxLimitRequestRatio: { cpu } }];
  const spread = { requests: { cpu: '100m' }, limits: { cpu: '250m' } };
  await check(ratio('2'), spread, {
    message: 'pods "p" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000',
  });
  await check(ratio('3'), spread, { resources: spread });
});

test('claims are bounded by their requests', async () => {
  const { ask } = scratchServer();
  const limits = [{ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } }];
  await ask('POST', `${URL}/limitranges`, { body: { metadata: { name: 'l' }, spec: { limits } } });
  const claim = async (storage: string) => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } };
    const { json } = await ask('POST', `${URL}/persistentvolumeclaims`, {
      body: { metadata: { name: `c${storage.toLowerCase()}` }, spec },
    });
    return json.message;
  };
  assert.match(await claim('512Mi'), /minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 512Mi/);
  assert.match(await claim('3Gi'), /maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi/);
  assert.equal(await claim('2Gi'), undefined);
});

test('a claim without a class gets the youngest of the default ones', async () => {
  const { ask } = scratchServer();
  const make = async (name: string, spec: object = {}) => {
    const body = {
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
    };
    return (await ask('POST', `${URL}/persistentvolumeclaims`, { body })).json.spec.storageClassName;
  };
  assert.equal(await make('before'), undefined);
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  for (const metadata of [{ name: 'first', annotations }, { name: 'other' }]) {
    await ask('POST', '/apis/storage.k8s.io/v1/storageclasses', { body: { metadata, provisioner: 'example.com/any' } });
  }
  assert.equal(await make('after'), 'first');
  assert.equal(await make('none', { storageClassName: '' }), '');
  assert.equal(await make('named', { storageClassName: 'other' }), 'other');
});
