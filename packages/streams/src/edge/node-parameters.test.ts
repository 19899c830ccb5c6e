/** What an object is at a node is for the node’s parameters to say, whatever its kind. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Gvr, KubeObject } from '@skerry/api';
import { OUTLETS, RETENTIONS, STREAMS_API_VERSION } from '../kinds/index.ts';
import type { Retention } from '../kinds/retention.ts';
import { type ScratchStreams, scratchStreams } from './testing/scratch-streams.ts';

const HERE = {
  series: [{ device: '{{device}}' }],
  parameters: { device: 'elsewhere', folder: 'elsewhere' },
  nodeParameters: [
    { node: 'edge-1', values: { device: 'mine', folder: 'mine' } },
    { node: 'edge-2', values: { device: 'theirs' } },
  ],
};

async function place({ client }: ScratchStreams, gvr: Gvr, kind: string, spec: object): Promise<void> {
  const metadata = { name: 'here', namespace: 'default' };
  const placed = { placement: { nodeName: 'edge-1' }, ...spec };
  await client.create(gvr, { apiVersion: STREAMS_API_VERSION, kind, metadata, spec: placed } as KubeObject);
  const status = { nodes: ['edge-1'] };
  await client.patch({ gvr, namespace: 'default', name: 'here' }, { status }, { type: 'merge', subresource: 'status' });
}

test('routes, retentions and outlets take what the parameters of their node say', async () => {
  await using scratch = await scratchStreams();
  const { client, values, clock } = scratch;
  for (const object of ['mine', 'theirs', 'elsewhere'])
    values.series.register({ namespace: 'default', object, property: 'p', type: 'float64' });
  await scratch.route('here', { ...HERE, batch: { maxDelay: '10ms' } });
  await place(scratch, RETENTIONS, 'Retention', HERE);
  await place(scratch, OUTLETS, 'Outlet', {
    ...HERE,
    type: 'Parquet',
    endpoint: '{{folder}}/out',
    batch: { maxDelay: '10ms' },
  });
  const recording = async () =>
    (await client.get<Retention>({ gvr: RETENTIONS, namespace: 'default', name: 'here' })).status?.onNodes?.['edge-1'];
  await scratch.until('it records', async () => (await recording())?.state === 'Running');
  const listening = () => new Set(values.bus.subscriptions().map(({ name }) => name));
  await scratch.until('all listen', () => ['recording', 'road', 'outlets'].every((name) => listening().has(name)));
  for (const [at, device] of ['mine', 'theirs', 'elsewhere', 'mine'].entries())
    scratch.publish(device, clock.now() + at, { p: at });
  await scratch.until('both values are recorded', async () => (await recording())?.points === 2);
  await scratch.until('both are on the road', () => scratch.queuedRows('here') === 2);
  await scratch.until('the file is there', () => existsSync(join(scratch.files, 'default/mine/out')));
  assert.equal(existsSync(join(scratch.files, 'default/elsewhere')), false);
});
