/** For a test that kills it: an outlet that is given numbers from one on, in a process of its own. Says which of them are on disk. */
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skerry/base';
import { BatchBuilder, Quality } from '../../contract/index.ts';
import type { Outlet } from '../../kinds/index.ts';
import { RoadFile } from '../../road/edge/road-file.ts';
import { OutletHub } from '../outlet-hub.ts';
import { anywhere } from '../reach.ts';

const [, , folder = '.', endpoint = '', first = '0'] = process.argv;
const ROWS = 10;
const PAUSE_MS = 20;
const LABELS = { namespace: 'plant', device: 'press', property: 'count' };

const file = new RoadFile({ file: join(folder, 'outlets.db'), clock: systemClock, log: silentLogger });
const hub = new OutletHub({
  file,
  clock: systemClock,
  log: silentLogger,
  random: () => 0,
  folder,
  reach: anywhere,
  describe: () => ({ labels: LABELS, type: 'float64' }),
});
const outlet: Outlet = {
  apiVersion: 'streams.skerry.io/v1alpha1',
  kind: 'Outlet',
  metadata: { namespace: 'plant', name: 'out' },
  spec: { type: 'Http', endpoint, batch: { maxRows: 1000, maxDelay: '1ms' } },
};
hub.declare('plant/out', outlet);
await hub.connect('plant/out', outlet, {});

let next = Number(first);
setInterval(() => {
  // What is on disk already goes on its way.
  if (Number.isNaN(next)) return;
  const builder = new BatchBuilder();
  for (let row = 0; row < ROWS; row++, next++) builder.add(0, next, next, Quality.good);
  const batch = builder.take();
  if (batch !== undefined) hub.take(batch);
  hub.flush();
  if (hub.report('plant/out')?.problem?.includes('disk') !== true) process.stdout.write(`${next}\n`);
}, PAUSE_MS);
