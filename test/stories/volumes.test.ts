/** Volumes with every runtime: what pods are given to read, what they keep, and what becomes of it when nobody wants it. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { PersistentVolume, PersistentVolumeClaim } from '@skerry/api/types';
import {
  COUNTING,
  eventually,
  GROUNDS,
  type Ground,
  type GroundKind,
  pod,
  type Runtime,
  requireSystem,
  skipWithout,
  TcpProxy,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

const USER = { runAsUser: 10_001, runAsGroup: 10_001 };

for (const kind of GROUNDS) suite(`with ${kind.name}`, { skip: skipWithout(...kind.needs) }, () => tell(kind));

function tell(kind: GroundKind): void {
  const work = mkdtempSync(join(tmpdir(), 'skerry-story-'));
  // Pods of an agent that is root have users of their own.
  chmodSync(work, 0o755);
  const volumes = join(work, 'volumes');
  // Who is not root has one user for all.
  const securityContext = process.getuid?.() === 0 ? USER : {};
  let cloud: TestCloud;
  let edge: TestEdge;
  let cable: TcpProxy;
  let ground: Ground;
  let runtime: Runtime;

  before(async () => {
    cloud = await TestCloud.start();
    cable = await TcpProxy.start(cloud.linkAddress);
    ground = await kind.open();
    ({ runtime } = ground);
    edge = await TestEdge.join(cloud, {
      name: 'edge-1',
      args: ['--join', cable.address],
      ...ground.edge,
    });
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
    await cloud.apply({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'local-path', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'skerry.io/local-path',
      reclaimPolicy: 'Delete',
      allowVolumeExpansion: true,
      volumeBindingMode: 'WaitForFirstConsumer',
      parameters: { path: volumes },
    });
    await cloud.kubectl(['create', 'configmap', 'settings', '--from-literal=depth=7', '--from-literal=width=3']);
    await cloud.kubectl([
      'create',
      'secret',
      'generic',
      'keys',
      '--from-literal=door=open',
      '--from-literal=gate=shut',
    ]);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await ground?.[Symbol.asyncDispose]();
    await cable?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  /** Runs a pod to its end and gives back what it said. */
  async function run(name: string, script: string, spec: object, container: object): Promise<string> {
    await cloud.apply(pod(runtime, { name, script, container, spec: { restartPolicy: 'Never', ...spec } }));
    await cloud.kubectl(['wait', '--for=jsonpath={.status.phase}=Succeeded', `pod/${name}`, '--timeout=60s']);
    const log = await cloud.kubectl(['logs', name]);
    await cloud.kubectl(['delete', `pod/${name}`, '--timeout=60s']);
    return log;
  }

  async function claim(name: string): Promise<void> {
    const resources = { requests: { storage: '1Gi' } };
    await cloud.apply({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'], resources },
    });
  }

  async function volumeOf(name: string): Promise<string> {
    return (await cloud.get<PersistentVolumeClaim>(['pvc', name])).spec?.volumeName ?? '';
  }

  function using(name: string): object {
    return { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }], securityContext };
  }
  const mounted = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };

  test('configMap, secret, downwardAPI and projected volumes are read whole and by subPath', async () => {
    const labels = { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } };
    const given = [
      { name: 'settings', configMap: { name: 'settings' } },
      { name: 'keys', secret: { secretName: 'keys' } },
      { name: 'self', downwardAPI: { items: [labels] } },
      {
        name: 'all',
        projected: {
          sources: [
            { configMap: { name: 'settings', items: [{ key: 'width', path: 'sizes/width' }] } },
            { secret: { name: 'keys' } },
            { downwardAPI: { items: [labels] } },
            { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
          ],
        },
      },
    ];
    const whole = given.map(({ name }) => ({ name, mountPath: `/whole/${name}` }));
    const parts = [
      ['settings', 'depth'],
      ['keys', 'door'],
      ['self', 'labels'],
      ['all', 'sizes/width'],
    ].map(([name, subPath]) => ({ name, subPath, mountPath: `/part/${name}` }));
    const script = [
      'cd /whole; cat settings/depth; echo; cat keys/gate; echo; cat self/labels; echo; cat all/door; echo',
      'test -s all/token && echo token',
      'cd /part; cat settings; echo; cat keys; echo; cat self; echo; cat all; echo',
    ].join('; ');
    const log = await run('reader', script, { volumes: given }, { volumeMounts: [...whole, ...parts] });
    const words = log.trim().split('\n');
    assert.deepEqual(words, ['7', 'shut', 'app="reader"', 'open', 'token', '7', 'open', 'app="reader"', '3']);
  });

  test('a claim is a directory of the node, which outlives its pods', async () => {
    await claim('kept');
    await run('writer', 'echo from the first > /data/file', using('kept'), mounted);
    assert.equal(await run('follower', 'cat /data/file', using('kept'), mounted), 'from the first\n');
    assert.ok(existsSync(join(volumes, await volumeOf('kept'), 'file')));
  });

  test('a volume is given to the group of its pod', async (t) => {
    if (!requireSystem(t, 'root')) return;
    await claim('shared');
    await run('first', 'mkdir /data/deep; echo one > /data/deep/file', using('shared'), mounted);
    const group = { runAsUser: 10_002, runAsGroup: 10_002, fsGroup: 3000, fsGroupChangePolicy: 'OnRootMismatch' };
    const spec = { ...using('shared'), securityContext: group };
    await run('second', 'echo two >> /data/deep/file; echo new > /data/made', spec, mounted);
    const directory = join(volumes, await volumeOf('shared'));
    assert.deepEqual(
      ['', 'deep', 'deep/file', 'made'].map((path) => statSync(join(directory, path)).gid),
      [3000, 3000, 3000, 3000],
    );
    assert.equal(await run('third', 'cat /data/deep/file', spec, mounted), 'one\ntwo\n');
  });

  test('a claim grows by what kubectl asks', async () => {
    const patch = '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}';
    await cloud.kubectl(['patch', 'pvc', 'kept', '-p', patch]);
    await eventually('the claim is larger', async () => /2Gi/.test(await cloud.kubectl(['get', 'pvc', 'kept'])));
    const { code, stderr } = await cloud.tryKubectl(['patch', 'pvc', 'kept', '-p', patch.replace('2Gi', '1Gi')]);
    assert.equal(code, 1);
    assert.match(stderr, /field can not be less than previous value/);
  });

  test('an ephemeral volume comes and goes with its pod', async () => {
    const resources = { requests: { storage: '1Gi' } };
    const volumeClaimTemplate = { spec: { accessModes: ['ReadWriteOnce'], resources } };
    const spec = { volumes: [{ name: 'data', ephemeral: { volumeClaimTemplate } }], securityContext };
    await cloud.apply(
      pod(runtime, { name: 'passing', script: `echo x > /data/x; ${COUNTING}`, container: mounted, spec }),
    );
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/passing', '--timeout=60s']);
    const volume = await volumeOf('passing-data');
    const directory = join(volumes, volume);
    await eventually('the pod has written', () => existsSync(join(directory, 'x')));
    await cloud.kubectl(['delete', 'pod/passing', '--timeout=60s']);
    await cloud.kubectl(['wait', '--for=delete', `pv/${volume}`, '--timeout=60s']);
    assert.equal((await cloud.tryKubectl(['get', 'pvc', 'passing-data'])).code, 1);
    assert.equal(existsSync(directory), false);
  });

  test('a claim that is deleted while its node is cut off takes its data along when the node is back', async () => {
    const volume = await volumeOf('kept');
    const directory = join(volumes, volume);
    cable.cut();
    await cloud.kubectl(['delete', 'pvc/kept', '--timeout=60s']);
    const left = await eventually('the volume waits for its node', async () => {
      const found = await cloud.get<PersistentVolume>(['pv', volume]);
      return found.metadata.deletionTimestamp !== undefined && found;
    });
    assert.deepEqual([left.status?.phase, readdirSync(directory)], ['Released', ['file']]);
    cable.mend();
    await cloud.kubectl(['wait', '--for=delete', `pv/${volume}`, '--timeout=60s']);
    assert.equal(existsSync(directory), false);
  });
}
