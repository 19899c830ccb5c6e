import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, PodSpec } from '../pod/types.ts';
import { mirrorOf, nextMirror, planMirror, staticPodOf } from './manifest.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const PLACE = { node: 'edge-1', file: '/etc/pods/web.yaml' };
const MANIFEST = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'host', command: ['sleep', '9'], unknown: true }] },
};

function staticPod(spec: Partial<PodSpec> = {}, place = PLACE): Pod {
  return staticPodOf({ ...MANIFEST, spec: { ...MANIFEST.spec, ...spec } }, place, NOW);
}

function refused(manifest: unknown): string {
  try {
    staticPodOf(manifest, PLACE, NOW);
    return 'taken';
  } catch (error) {
    return (error as Error).message;
  }
}

test('a manifest is a pod of the node, with the defaults that the API would give it', () => {
  const { metadata, spec } = staticPod();
  assert.deepEqual([metadata.name, metadata.namespace, spec.nodeName], ['web-edge-1', 'default', 'edge-1']);
  assert.deepEqual(metadata.labels, { app: 'web' });
  assert.deepEqual(metadata.annotations, {
    'kubernetes.io/config.source': 'file',
    'kubernetes.io/config.hash': metadata.uid,
    'kubernetes.io/config.seen': '2026-01-02T03:04:05.000Z',
  });
  assert.deepEqual(spec.tolerations, [{ operator: 'Exists', effect: 'NoExecute' }]);
  assert.deepEqual(
    [spec.restartPolicy, spec.terminationGracePeriodSeconds, spec.dnsPolicy],
    ['Always', 30, 'ClusterFirst'],
  );
  assert.equal(spec.containers[0]?.imagePullPolicy, 'Always');
  assert.ok(!('unknown' in (spec.containers[0] ?? {})));
});

test('it is the same pod for as long as node, file and content are the same', () => {
  const uid = staticPod().metadata.uid;
  assert.match(uid ?? '', /^[0-9a-f]{32}$/);
  assert.equal(staticPod().metadata.uid, uid);
  assert.notEqual(staticPod({ hostNetwork: true }).metadata.uid, uid);
  assert.notEqual(staticPod({}, { ...PLACE, node: 'edge-2' }).metadata.uid, uid);
  assert.notEqual(staticPod({}, { ...PLACE, file: '/etc/pods/other.yaml' }).metadata.uid, uid);
});

test('what is no pod, or needs more than the node to be there, is refused with the reason', () => {
  const withSpec = (spec: object) => ({ ...MANIFEST, spec: { ...MANIFEST.spec, ...spec } });
  const notPods = [undefined, 'text', [], {}, { ...MANIFEST, kind: 'Deployment' }, withSpec({ containers: [] })];
  for (const manifest of notPods) assert.equal(refused(manifest), 'it is not a Pod of v1 with a name and containers');
  const volumes = (source: object) => withSpec({ volumes: [{ name: 'v', ...source }] });
  assert.match(refused(volumes({ configMap: { name: 'c' } })), /may not refer to configmaps/);
  assert.match(refused(volumes({ secret: { secretName: 's' } })), /may not refer to secrets/);
  assert.match(refused(withSpec({ serviceAccountName: 'robot' })), /may not refer to serviceaccounts/);
  const envFrom = [{ name: 'main', image: 'host', envFrom: [{ secretRef: { name: 's' } }] }];
  assert.match(refused(withSpec({ containers: envFrom })), /may not refer to secrets/);
  assert.match(refused(withSpec({ restartPolicy: 'Sometimes' })), /^spec.restartPolicy: /);
  assert.match(refused(withSpec({ containers: 'many' })), /not a Pod/);
  assert.match(refused(withSpec({ terminationGracePeriodSeconds: 'long' })), /terminationGracePeriodSeconds/);
});

test('the mirror is the pod as the API shows it, owned by the node', () => {
  const pod = staticPod();
  const mirror = mirrorOf(pod, 'node-uid');
  assert.equal(mirror.metadata.uid, undefined);
  assert.equal(mirror.metadata.annotations?.['kubernetes.io/config.mirror'], pod.metadata.uid);
  assert.deepEqual(mirror.metadata.ownerReferences, [
    { apiVersion: 'v1', kind: 'Node', name: 'edge-1', uid: 'node-uid', controller: true },
  ]);
  assert.equal(mirror.spec, pod.spec);
  assert.equal(mirrorOf(pod, undefined).metadata.ownerReferences, undefined);
});

test('a mirror is made where it is missing, and replaced when it is of another pod or is to go', () => {
  const pod = staticPod();
  const mirror = mirrorOf(pod, undefined);
  const going = { ...mirror, metadata: { ...mirror.metadata, deletionTimestamp: 'now' } };
  const foreign = { ...mirror, metadata: { ...mirror.metadata, annotations: {} } };
  const plans = [
    planMirror(pod, undefined),
    planMirror(pod, mirror),
    planMirror(pod, going),
    planMirror(staticPod({ hostNetwork: true }), mirror),
    planMirror(undefined, mirror),
    planMirror(pod, foreign),
    planMirror(undefined, undefined),
  ];
  assert.deepEqual(plans, ['create', 'none', 'delete', 'delete', 'delete', 'none', 'none']);
});

test('a mirror that does not stay is made ten times a minute', () => {
  let made: readonly number[] = [];
  const isMade = (now: number) => {
    const next = nextMirror(made, now);
    made = next ?? made;
    return next !== undefined;
  };
  const at = Array.from({ length: 12 }, (_, second) => second * 1000);
  assert.deepEqual(at.map(isMade), [...Array(10).fill(true), false, false]);
  assert.ok(!isMade(59_999) && isMade(60_000) && !isMade(60_500) && isMade(61_000));
});
