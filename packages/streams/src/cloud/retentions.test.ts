import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { scratchStreams } from '../edge/testing/scratch-streams.ts';
import { RETENTIONS, STREAMS_API_VERSION } from '../kinds/index.ts';
import type { Retention, RetentionSpec } from '../kinds/retention.ts';
import type { OwnRetention } from '../store/index.ts';
import { startCloudRetentions } from './retentions.ts';

const HOUR_MS = 3_600_000;

test('the cloud keeps series as the Retentions say that mean it, and says so in their status', async () => {
  await using scratch = await scratchStreams();
  const { client, clock } = scratch;
  const ending = new AbortController();
  let own: OwnRetention = () => undefined;
  const telemetry = {
    keep: (plan: object, next: OwnRetention) => {
      assert.deepEqual(plan, {});
      own = next;
    },
  };
  const ended = startCloudRetentions({ client, clock, log: silentLogger, signal: ending.signal, telemetry });
  const create = (name: string, spec: RetentionSpec) =>
    client.create(RETENTIONS, {
      apiVersion: STREAMS_API_VERSION,
      kind: 'Retention',
      metadata: { name, namespace: 'default' },
      spec,
    } as Retention);
  const keptFor = (device: string) => own({ namespace: 'default', device, property: 'load' })?.rawFor;
  await create('press', { keep: '1h', series: [{ device: 'press' }] });
  await create('elsewhere', { keep: '2h', cloud: false });
  await scratch.until('the press is kept for an hour', () => keptFor('press') === HOUR_MS);
  assert.equal(keptFor('drill'), undefined);
  const ref = { gvr: RETENTIONS, namespace: 'default', name: 'press' };
  const stateOf = async () => (await client.get<Retention>(ref)).status?.onNodes?.['cloud']?.state;
  await scratch.until('it is told', async () => (await stateOf()) === 'Running');
  await client.patch(ref, { spec: { keep: '3h' } }, { type: 'merge' });
  await scratch.until('the press is kept for longer', () => keptFor('press') === 3 * HOUR_MS);
  await create('all', { keep: '1h' });
  await scratch.until('the drill is kept for an hour', () => keptFor('drill') === HOUR_MS);
  await client.patch(ref, { spec: { tiers: [{ step: '5m', keep: '1d' }] } }, { type: 'merge' });
  await scratch.until('nothing of the press goes', () => keptFor('press') === undefined);
  await scratch.until('it is told', async () => (await stateOf()) === 'Failed');
  assert.equal(keptFor('drill'), HOUR_MS);
  await client.delete({ ...ref, name: 'all' });
  await client.delete(ref);
  await scratch.until('the press is kept without end', () => keptFor('press') === undefined);
  ending.abort();
  await clock.settle();
  await ended;
});
