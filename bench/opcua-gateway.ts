/** Values that change at the data worker, through the OPC UA gateway in its own process, to a client that subscribed to them: each must arrive. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { subscribeTo } from '../packages/devices/src/edge/gateway/testing/subscriber.ts';
import type { Device } from '../packages/devices/src/resources/device.ts';
import type { DeviceModel } from '../packages/devices/src/resources/device-model.ts';
import { report, round } from './support/figures.ts';
import type { GatewayOrder } from './support/gateway-process.ts';

const DEVICES = 10;
const PROPERTIES = 100;
const ITEMS = DEVICES * PROPERTIES;
const PER_SECOND = 12_000;
const DURATION_MS = 5_000;
const TICK_MS = 20;

const API = 'devices.skerry.io/v1alpha1';
const names = Array.from({ length: PROPERTIES }, (_, at) => `p${at}`);
const model: DeviceModel = {
  apiVersion: API,
  kind: 'DeviceModel',
  metadata: { name: 'm' },
  spec: { properties: names.map((name) => ({ name, type: 'float64' })) },
};
const devices = Array.from(
  { length: DEVICES },
  (_, at): Device => ({
    apiVersion: API,
    kind: 'Device',
    metadata: { name: `d${at}`, namespace: 'default' },
    spec: {
      model: { name: 'm' },
      protocol: 'simulator',
      visitors: names.map((property) => ({ property, address: {} })),
    },
  }),
);
const nodes = devices.flatMap(({ metadata }) => names.map((property) => ({ device: metadata.name ?? '', property })));

const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-'));
const socketPath = join(folder, 'values.sock');
const asked = Promise.withResolvers<ServerResponse>();
const worker = createServer((_request, response) => asked.resolve(response)).listen(socketPath);
await once(worker, 'listening');

const gateway = fork(new URL('support/gateway-process.ts', import.meta.url), { execArgv: ['--conditions=source'] });
const order: GatewayOrder = { socketPath, devices, model };
gateway.send(order);
const [{ endpoint }] = (await once(gateway, 'message')) as [{ endpoint: string }];

let received = 0;
let gaps = 0;
const last = new Float64Array(ITEMS).fill(-1);
const ids = nodes.map(({ device, property }) => `ns=2;s=${device}/${property}`);
const leave = await subscribeTo(endpoint, ids, (at, value) => {
  const count = Number(value);
  if (count !== (last[at] ?? 0) + 1) gaps++;
  last[at] = count;
  received++;
});

const response = await asked.promise;
response.writeHead(200);
for (const [id, { device, property }] of nodes.entries())
  response.write(`${JSON.stringify({ series: { id, namespace: 'default', device, property } })}\n`);

const before = await usage();
const sent = await send(response);
for (let waited = 0; waited < 5000 && received < sent; waited += TICK_MS) await pause();
const after = await usage();
report({
  name: 'changes a second through the gateway',
  value: Math.round(sent / (DURATION_MS / 1000)),
  unit: '/s',
  atLeast: 10_000,
});
report({ name: 'of them lost or out of order', value: sent - received + gaps, unit: '', atMost: 0 });
report({
  name: 'processor of the gateway at that rate',
  value: round((after.cpuMs - before.cpuMs) / (DURATION_MS / 1000) / 10, 1),
  unit: '%',
});
report({ name: 'memory of the gateway', value: round(after.rss / 2 ** 20, 0), unit: 'MiB' });

await leave();
gateway.disconnect();
worker.close();
worker.closeAllConnections();
rmSync(folder, { recursive: true });

/** In batches, as the bus has them. Resolves to how many changes there were. */
async function send(to: ServerResponse): Promise<number> {
  const began = performance.now();
  let done = 0;
  for (let elapsed = 0; elapsed < DURATION_MS; elapsed = performance.now() - began) {
    const due = Math.floor((elapsed / 1000) * PER_SECOND);
    const rows = { series: [] as number[], times: [] as number[], values: [] as number[], qualities: [] as number[] };
    for (; done < due; done++) {
      rows.series.push(done % ITEMS);
      rows.times.push(Date.now());
      rows.values.push(Math.floor(done / ITEMS));
      rows.qualities.push(192);
    }
    if (rows.series.length > 0) to.write(`${JSON.stringify({ rows })}\n`);
    await pause();
  }
  return done;
}

async function usage(): Promise<{ readonly cpuMs: number; readonly rss: number }> {
  gateway.send('usage');
  const [figures] = (await once(gateway, 'message')) as [{ readonly cpuMs: number; readonly rss: number }];
  return figures;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
