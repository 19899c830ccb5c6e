/** Files that a bad disk has damaged: the edge comes back by itself with its pods running on, the cloud says what to do. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Pod } from '@skerry/api/types';
import { COUNTING, deployment, eventually, PROCESS, TestCloud, TestEdge } from '@skerry/testkit/processes';

let cloud: TestCloud;
let edge: TestEdge;

before(async () => {
  cloud = await TestCloud.start();
  edge = await TestEdge.join(cloud, { name: 'edge-1' });
  await cloud.apply(deployment(PROCESS, { name: 'web', replicas: 2, script: COUNTING }));
  await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

async function containers(side: TestCloud | TestEdge): Promise<readonly string[]> {
  const { items } = JSON.parse(await side.kubectl(['get', 'pods', '-o', 'json'])) as { items: Pod[] };
  return items.map(({ status }) => status?.containerStatuses?.[0]?.containerID ?? '').sort();
}

test('a node whose replica is damaged gets it anew from the cloud, and its pods run on', async () => {
  const before = await containers(cloud);
  await edge.process.kill9();
  const home = join(edge.dir, 'edge', 'edge-1');
  for (const name of ['replica.db', 'replica.db-wal'])
    writeFileSync(join(home, name), 'this is no database'.repeat(1000));
  await edge.process.start();
  await eventually('the node shows its pods', async () => {
    assert.deepEqual(await containers(edge), before);
    return true;
  });
  assert.match(edge.process.readLog(), /replica is damaged and was set aside/);
  assert.ok(readdirSync(home).some((name) => name.startsWith('replica.db.damaged-')));
  const [pod] = JSON.parse(await cloud.kubectl(['get', 'pods', '-o', 'json'])).items as Pod[];
  await eventually('the cloud reaches them', () =>
    cloud.kubectl(['exec', pod?.metadata.name ?? '', '--', 'echo', 'here']),
  );
  assert.deepEqual(await containers(cloud), before);
});

test('a cloud whose store is damaged refuses to start, and says how to restore it', async () => {
  await cloud.process.stop();
  const store = join(cloud.dir, 'cloud', 'store.db');
  writeFileSync(store, 'this is no database'.repeat(1000));
  await assert.rejects(cloud.process.start(), /store\.db is damaged.*skerry restore FILE --data-dir/);
});
