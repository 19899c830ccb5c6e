import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, WatchEvent } from '@skerry/api';
import type { Pod, ReplicaSet } from '@skerry/api/types';
import type { Client } from '@skerry/kube/client';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { cloudContext } from './context.ts';
import { replicaSetController } from './replica-set/index.ts';
import { PODS, REPLICA_SETS } from './resources.ts';
import { type ScratchCloud, scratchCloud, template } from './testing/scratch-cloud.ts';

const WEB = { gvr: REPLICA_SETS, namespace: 'shop', name: 'web' };

/** The client with pods that are seen `lagMs` late. */
function lagging({ client, clock }: ScratchCloud, lagMs: () => number): Client {
  async function* late<T extends KubeObject>(events: AsyncIterable<WatchEvent<T>>): AsyncGenerator<WatchEvent<T>> {
    for await (const event of events) {
      await clock.sleep(lagMs());
      yield event;
    }
  }
  return {
    ...client,
    watch: (gvr, options) => (gvr.resource === 'pods' ? late(client.watch(gvr, options)) : client.watch(gvr, options)),
  };
}

/** Scales a ReplicaSet through `sizes` while its view of pods lags; after each write the number of pods must make sense. */
async function check(sizes: readonly number[], lags: readonly number[]): Promise<void> {
  await using cloud = await scratchCloud();
  let next = 0;
  const client = lagging(cloud, () => lags[next++ % lags.length] ?? 0);
  cloud.run(replicaSetController(cloudContext({ ...cloud.context, client })));
  await cloud.client.create<ReplicaSet>(REPLICA_SETS, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas: 0, selector: { matchLabels: { app: 'web' } }, template: template({ app: 'web' }) },
  });
  let most = 0;
  for (const replicas of sizes) {
    await cloud.client.patch<ReplicaSet>(WEB, { spec: { replicas } }, { type: 'merge' });
    most = Math.max(most, replicas);
    for (let step = 0; step < 4; step++) {
      await cloud.clock.advance(20);
      const { length } = await cloud.list<Pod>(PODS, 'shop');
      assert.ok(length <= most, `${length} pods, never more than ${most} were wanted`);
    }
    await cloud.clock.advance(120_000);
    await cloud.calm();
    assert.equal((await cloud.list<Pod>(PODS, 'shop')).length, replicas);
    most = replicas;
  }
}

test('a view of pods that is far behind makes no doubles', () => check([5, 9, 2, 7], [700]));

test('whatever the lag, there are never more pods than were wanted, and in the end exactly as many', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 }),
      fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 5 }),
      check,
    ),
    { numRuns: runs(15) },
  ));
