import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import { newUid, silentLogger } from '@skerry/base';
import { type Client, createInProcessClient, createRecorder } from '@skerry/kube/client';
import { runController } from '@skerry/kube/controller';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { fakeClock } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import type { Pod } from '../pod/types.ts';
import { volumeReclaimer } from './reclaim.ts';

const PERSISTENT_VOLUMES = { group: '', version: 'v1', resource: 'persistentvolumes' };

interface Given {
  /** Of the volume's path; default: a directory of its own name. */
  readonly path?: (directory: string, name: string) => string;
  readonly policy?: string;
  readonly phase?: string;
  readonly isDeleted?: boolean;
  readonly annotations?: Record<string, string>;
}

interface Outcome {
  readonly isRemoved: boolean;
  readonly reason?: string;
  readonly outside: boolean;
}

const OURS = { 'pv.kubernetes.io/provisioned-by': 'skerry.io/local-path' };

interface VolumeObject extends KubeObject {
  status?: { readonly phase?: string; readonly reason?: string };
}

/** A volume and what is in it, of a claim of its own. */
async function makeVolume(
  client: Client,
  directory: string,
  { path = join, policy = 'Delete', phase = 'Released', isDeleted = true, annotations = OURS }: Given,
): Promise<string> {
  const name = `pvc-${newUid()}`;
  mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, name, 'file'), 'x');
  symlinkSync(join(directory, 'outside'), join(directory, name, 'link'));
  const ref = { gvr: PERSISTENT_VOLUMES, name };
  await client.create<KubeObject>(PERSISTENT_VOLUMES, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, finalizers: ['skerry.io/local-path'], annotations },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: policy,
      claimRef: { namespace: 'shop', name: `data-of-${name}` },
      hostPath: { path: path(directory, name) },
    },
  });
  await client.patch(ref, { status: { phase } }, { type: 'merge', subresource: 'status' });
  if (isDeleted) await client.delete(ref);
  return name;
}

/** What becomes of a volume by the time another one, which is to go without doubt, has gone. */
async function check(given: Given, expected: Outcome, podsUsing: (claim: string) => readonly Pod[] = () => []) {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-reclaim-'));
  mkdirSync(join(directory, 'outside'));
  const clock = fakeClock();
  const store = openStore({ file: join(directory, 'store.db'), clock, log: silentLogger });
  const authorizer = { authorize: () => ({ allowed: true }) };
  const server = createApiServer({ store, clock, log: silentLogger, authorizer });
  const user = { username: 'test', groups: ['system:masters'] };
  const client = createInProcessClient({ handle: (request) => server.handle(request), user });
  const reasonOf = async (volume: string) =>
    (await client.get<VolumeObject>({ gvr: PERSISTENT_VOLUMES, name: volume })).status?.reason;

  const name = await makeVolume(client, directory, given);
  const pods = podsUsing(`data-of-${name}`);
  const ending = new AbortController();
  const context = { client, clock, log: silentLogger, signal: ending.signal };
  const recorder = createRecorder({ ...context, component: 'test' });
  const running = runController(volumeReclaimer({ ...context, recorder, pods: () => pods }), context);
  const other = await makeVolume(client, directory, {});
  const isDone = (volume: string) => async () => (await reasonOf(volume)) === 'DataRemoved';
  await eventually('another volume is removed', isDone(other));
  if (expected.isRemoved) await eventually('the volume is removed', isDone(name));
  const reason = await reasonOf(name);
  const outcome = {
    isRemoved: !existsSync(join(directory, name)),
    outside: existsSync(join(directory, 'outside')),
    ...(reason === undefined ? {} : { reason }),
  };
  ending.abort();
  await running;
  server.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
  assert.deepEqual(outcome, expected);
}

const LEFT: Outcome = { isRemoved: false, outside: true };

test('the data of a deleted volume is removed, not what its links lead to, and the status says so', () =>
  check({}, { isRemoved: true, outside: true, reason: 'DataRemoved' }));

test('what is not deleted, not released, retained or not ours is left alone', async () => {
  await check({ isDeleted: false }, LEFT);
  await check({ phase: 'Bound' }, LEFT);
  await check({ policy: 'Retain' }, LEFT);
  await check({ annotations: { 'pv.kubernetes.io/provisioned-by': 'somebody else' } }, LEFT);
});

test('a path that the provisioner would not have made is not removed', async () => {
  await check({ path: (directory) => directory }, LEFT);
  await check({ path: (directory, name) => `${directory}/outside/../${name}` }, LEFT);
});

test('nothing is removed under a pod that still runs', () =>
  check({}, LEFT, (claimName) => [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'db', namespace: 'shop' },
      spec: { containers: [], volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] },
    },
  ]));
