/** What Retentions of a node record, whatever else is on the bus. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RETENTIONS, STREAMS_API_VERSION } from '../../kinds/index.ts';
import type { Retention } from '../../kinds/retention.ts';
import { scratchStreams } from '../testing/scratch-streams.ts';

test('a series that the store refuses ends the recording of no other one', async () => {
  await using scratch = await scratchStreams();
  const { client, values, clock } = scratch;
  const tooLong = 'x'.repeat(2000);
  for (const object of ['d', tooLong])
    values.series.register({ namespace: 'default', object, property: 'p', type: 'float64' });
  const ref = { gvr: RETENTIONS, namespace: 'default', name: 'r' };
  const spec = { placement: { nodeName: 'edge-1' } };
  const metadata = { name: 'r', namespace: 'default' };
  await client.create(RETENTIONS, { apiVersion: STREAMS_API_VERSION, kind: 'Retention', metadata, spec } as Retention);
  await client.patch(ref, { status: { nodes: ['edge-1'] } }, { type: 'merge', subresource: 'status' });
  const status = async () => (await client.get<Retention>(ref)).status?.onNodes?.['edge-1'];
  await scratch.until('it runs', async () => (await status())?.state === 'Running');
  const recorded = (points: number) => async () => {
    const now = await status();
    return now?.points === points ? now : undefined;
  };
  const listening = () => values.bus.subscriptions().some(({ name }) => name === 'recording');
  await scratch.until('it listens', listening);
  scratch.publish('d', clock.now(), { p: 1 });
  await scratch.until('the first value', recorded(1));
  scratch.publish(tooLong, clock.now(), { p: 1 });
  scratch.publish('d', clock.now(), { p: 2 });
  const now = await scratch.until('the value after it', recorded(2));
  assert.deepEqual([now.state, now.dropped], ['Running', { NotTaken: 1 }]);
});

test('while a Retention cannot be read, nothing of what it means is deleted, and its status says so', async () => {
  await using scratch = await scratchStreams();
  const { client, values, clock } = scratch;
  values.series.register({ namespace: 'default', object: 'd', property: 'p', type: 'float64' });
  const ref = { gvr: RETENTIONS, namespace: 'default', name: 'r' };
  const spec = { placement: { nodeName: 'edge-1' }, keep: '1h' };
  const metadata = { name: 'r', namespace: 'default' };
  await client.create(RETENTIONS, { apiVersion: STREAMS_API_VERSION, kind: 'Retention', metadata, spec } as Retention);
  await client.patch(ref, { status: { nodes: ['edge-1'] } }, { type: 'merge', subresource: 'status' });
  const status = async () => (await client.get<Retention>(ref)).status?.onNodes?.['edge-1'];
  const listening = () => values.bus.subscriptions().some(({ name }) => name === 'recording');
  await scratch.until('it listens', listening);
  scratch.publish('d', clock.now(), { p: 1 });
  await scratch.until('it is recorded', async () => (await status())?.points === 1);
  await client.patch(ref, { spec: { series: [{ device: '{{which}}' }] } }, { type: 'merge' });
  const told = await scratch.until('it is told', async () => {
    const now = await status();
    return now?.state === 'Failed' ? now : undefined;
  });
  assert.match(told.lastError ?? '', /the parameter which has no value; until it can be read, nothing .* is deleted/);
});
