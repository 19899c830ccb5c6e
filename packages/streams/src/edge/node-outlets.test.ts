/** The outlets of a node as they begin: nothing is loaded, or opened, before there is one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import type { Informer } from '@skerry/kube/controller';
import { fakeClock } from '@skerry/testkit';
import { createBus, SeriesTable } from '../contract/index.ts';
import type { Outlet } from '../kinds/index.ts';
import { nodeOutlets } from './node-outlets.ts';
import { StatusTeller } from './status-teller.ts';

const OUTLET = {
  apiVersion: 'streams.skerry.io/v1alpha1',
  kind: 'Outlet',
  metadata: { name: 'out', namespace: 'default' },
  spec: { type: 'Parquet', endpoint: 'out' },
  status: { nodes: ['edge-1'] },
} as const satisfies Outlet;

test('what could not begin begins anew, and finds its queues free', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-outlets-'));
  const clock = fakeClock();
  const client = { patch: async () => ({}) } as unknown as Client;
  const common = { node: 'edge-1', client, clock, log: silentLogger, random: () => 0 };
  const bus = createBus();
  let isBroken = true;
  const subscribe: typeof bus.subscribe = (options) => {
    if (isBroken) throw new Error('no more readers');
    return bus.subscribe(options);
  };
  const teller = new StatusTeller(common);
  const outlets = nodeOutlets({
    ...common,
    outlets: { cache: { get: () => OUTLET, list: () => [OUTLET] } } as unknown as Informer<Outlet>,
    values: { bus: { ...bus, subscribe }, series: new SeriesTable() },
    store: { existing: async () => undefined },
    teller,
    file: join(folder, 'outlets.db'),
    folder,
  });
  const begin = () => outlets.spec.reconcile('default/out', new AbortController().signal);
  try {
    await assert.rejects(begin(), /no more readers/);
    isBroken = false;
    await begin();
  } finally {
    const closing = outlets.close();
    await clock.settle();
    await closing;
    await teller.close();
    rmSync(folder, { recursive: true });
  }
});
