/** Jobs, cron jobs, stateful sets and draining a node, with kubectl as everybody has it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Job, Pod } from '@skerry/api/types';
import {
  COUNTING,
  deployment,
  eventually,
  PROCESS,
  requireSystem,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

const RUNTIME = PROCESS;
let cloud: TestCloud;
const edges: TestEdge[] = [];
const work = mkdtempSync(join(tmpdir(), 'skerry-kinds-'));

before(async () => {
  cloud = await TestCloud.start();
  for (const name of ['edge-1', 'edge-2']) {
    edges.push(await TestEdge.join(cloud, { name }));
    await eventually(`${name} is there`, async () => (await cloud.tryKubectl(['get', 'node', name])).code === 0);
    await cloud.kubectl(['wait', '--for=condition=Ready', `node/${name}`, '--timeout=30s']);
  }
});
after(async () => {
  for (const edge of edges) await edge[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

async function podsOf(selector: string): Promise<readonly Pod[]> {
  return (await cloud.get<{ items: Pod[] }>(['pods', '-l', selector])).items;
}

function podSpec(script: string, more: object = {}): object {
  const main = { name: 'main', image: RUNTIME.image, command: ['/bin/sh', '-c', script], ...more };
  return { terminationGracePeriodSeconds: 2, containers: [main] };
}

function job(name: string, script: string, spec: object = {}): object {
  const template = { spec: { ...podSpec(script), restartPolicy: 'Never' } };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec: { template, ...spec } };
}

function statefulSet(name: string, script: string, replicas: number, spec: object = {}): object {
  const readinessProbe = { exec: { command: ['true'] }, periodSeconds: 1 };
  const template = { metadata: { labels: { app: name } }, spec: podSpec(script, { readinessProbe }) };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name },
    spec: { replicas, serviceName: name, selector: { matchLabels: { app: name } }, template, ...spec },
  };
}

test('an indexed job runs every index to its end', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  const spec = { completions: 3, parallelism: 2, completionMode: 'Indexed' };
  await cloud.apply(job('count', 'echo "index $JOB_COMPLETION_INDEX on $HOSTNAME"', spec));
  await cloud.kubectl(['wait', '--for=condition=complete', 'job/count', '--timeout=60s']);
  const { status } = await cloud.get<Job>(['job', 'count']);
  assert.deepEqual([status?.succeeded, status?.completedIndexes], [3, '0-2']);
  const pods = await podsOf('job-name=count');
  const said = await Promise.all(pods.map(({ metadata }) => cloud.kubectl(['logs', metadata.name ?? ''])));
  assert.deepEqual(new Set(said.map((text) => /index (\d)/.exec(text)?.[1])), new Set(['0', '1', '2']));
  assert.match(await cloud.kubectl(['get', 'job', 'count']), /Complete +3\/3/);
  assert.match(await cloud.kubectl(['describe', 'job', 'count']), /Completed Indexes: +0-2/);
});

test('a job that fails says so', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await cloud.apply(job('sink', 'exit 3', { backoffLimit: 0 }));
  await cloud.kubectl(['wait', '--for=condition=failed', 'job/sink', '--timeout=60s']);
  assert.match(await cloud.kubectl(['get', 'job', 'sink']), /Failed +0\/1/);
  await cloud.kubectl(['delete', 'job/sink', 'job/count', '--timeout=30s']);
  await eventually('the pods are gone', async () => (await podsOf('job-name in (sink,count)')).length === 0);
});

test('a cron job starts jobs by its schedule and by hand, and keeps its history short', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  const { spec } = job('', 'echo high tide') as { spec: object };
  await cloud.apply({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tide' },
    spec: { schedule: '@every 2s', successfulJobsHistoryLimit: 1, jobTemplate: { spec } },
  });
  await cloud.kubectl(['wait', '--for=jsonpath={.status.lastSuccessfulTime}', 'cronjob/tide', '--timeout=60s']);
  await cloud.kubectl(['patch', 'cronjob/tide', '-p', '{"spec":{"suspend":true}}']);
  await cloud.kubectl(['create', 'job', 'by-hand', '--from=cronjob/tide']);
  await cloud.kubectl(['wait', '--for=condition=complete', 'job/by-hand', '--timeout=60s']);
  assert.match(await cloud.kubectl(['logs', 'job/by-hand']), /high tide/);
  assert.match(await cloud.kubectl(['get', 'cronjob', 'tide']), /@every 2s +<none> +True/);
  await eventually('one finished job is left', async () => {
    const { items } = await cloud.get<{ items: Job[] }>(['jobs']);
    return items.length === 1;
  });
  await cloud.kubectl(['delete', 'cronjob/tide', '--timeout=30s']);
});

test('a stateful set rolls out, rolls back, and its pods keep their names', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await cloud.apply(statefulSet('db', `echo version one; ${COUNTING}`, 2));
  await cloud.kubectl(['rollout', 'status', 'statefulset/db', '--timeout=60s']);
  await cloud.apply(statefulSet('db', `echo version two; ${COUNTING}`, 2));
  await cloud.kubectl(['rollout', 'status', 'statefulset/db', '--timeout=60s']);
  assert.match(await cloud.kubectl(['logs', 'db-0', '--tail=-1']), /version two/);
  assert.match(await cloud.kubectl(['rollout', 'history', 'statefulset/db']), /1[\s\S]*2/);
  await cloud.kubectl(['rollout', 'undo', 'statefulset/db']);
  await cloud.kubectl(['rollout', 'status', 'statefulset/db', '--timeout=60s']);
  for (const name of ['db-0', 'db-1']) assert.match(await cloud.kubectl(['logs', name, '--tail=-1']), /version one/);
  await cloud.kubectl(['scale', 'statefulset/db', '--replicas=1']);
  await eventually('one pod is left', async () => (await podsOf('app=db')).length === 1);
  assert.match(await cloud.kubectl(['get', 'statefulset', 'db']), /1\/1/);
  await cloud.kubectl(['delete', 'statefulset/db', '--timeout=30s']);
});

test('the claims of a stateful set are directories of the node, which outlive its pods', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  const path = join(work, 'volumes');
  await cloud.apply({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'local-path', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'skerry.io/local-path',
    reclaimPolicy: 'Retain',
    volumeBindingMode: 'WaitForFirstConsumer',
    parameters: { path },
  });
  const data = {
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  };
  const set = statefulSet('log', `echo start >> /data/starts; cat /data/starts; ${COUNTING}`, 1, {
    volumeClaimTemplates: [data],
  }) as { spec: { template: { spec: { securityContext?: object; containers: [{ volumeMounts?: object[] }] } } } };
  // Under an agent that is root every pod has a user of its own, which may not write what another has written.
  if (process.getuid?.() === 0) set.spec.template.spec.securityContext = { runAsUser: 10_000 };
  set.spec.template.spec.containers[0].volumeMounts = [{ name: 'data', mountPath: '/data' }];
  await cloud.apply(set);
  await cloud.kubectl(['rollout', 'status', 'statefulset/log', '--timeout=60s']);
  const node = await cloud.kubectl(['get', 'pod', 'log-0', '-o', 'jsonpath={.spec.nodeName}']);
  const { metadata } = await cloud.get<Pod>(['pod', 'log-0']);
  await cloud.kubectl(['delete', 'pod/log-0', '--timeout=30s']);
  await eventually('another pod is ready', async () => {
    const pod = await cloud.get<Pod>(['pod', 'log-0']).catch(() => undefined);
    const isReady = pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    return isReady === true && pod?.metadata.uid !== metadata.uid;
  });
  assert.equal(await cloud.kubectl(['get', 'pod', 'log-0', '-o', 'jsonpath={.spec.nodeName}']), node);
  await eventually('both pods have written', async () => {
    return (await cloud.kubectl(['exec', 'log-0', '--', 'cat', '/data/starts'])) === 'start\nstart\n';
  });
  assert.match(await cloud.kubectl(['get', 'pvc', 'data-log-0']), /Bound +pvc-\S+ +1Mi +RWO +local-path/);
  await cloud.kubectl(['delete', 'statefulset/log', '--timeout=30s']);
  await cloud.kubectl(['delete', 'pvc/data-log-0', '--timeout=30s']);
  assert.match(await cloud.kubectl(['get', 'pv']), /1Mi +RWO +Retain +Released +default\/data-log-0 +local-path/);
});

test('a drained node is emptied without going below the budget, and comes back', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await cloud.apply(deployment(RUNTIME, { name: 'web', replicas: 4, script: COUNTING }));
  await cloud.kubectl(['create', 'pdb', 'web', '--selector=app=web', '--min-available=3']);
  await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  await cloud.kubectl(['wait', '--for=jsonpath={.status.disruptionsAllowed}=1', 'pdb/web', '--timeout=30s']);
  await cloud.kubectl(['drain', 'edge-1', '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=90s']);
  const left = (await podsOf('app=web')).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  assert.deepEqual(new Set(left.map(({ spec }) => spec?.nodeName)), new Set(['edge-2']));
  assert.match(await cloud.kubectl(['get', 'node', 'edge-1']), /SchedulingDisabled/);
  await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  await cloud.kubectl(['uncordon', 'edge-1']);
  assert.doesNotMatch(await cloud.kubectl(['get', 'node', 'edge-1']), /SchedulingDisabled/);
});
