/** No outlet of the cloud reaches what is for the cloud's machine alone, whatever its endpoint says. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { OutletError, openTarget } from './index.ts';
import { guardedReach } from './reach.ts';
import { rowsOf } from './testing/rows.ts';

type OutletType = Parameters<typeof openTarget>[0];

const ROWS = [rowsOf({ namespace: 'a', device: 'd', property: 'p' }, 'float64', [[1000, 1]])];
const reach = guardedReach({ allowed: [], ownAddresses: () => [] });

/** What an outlet says of an endpoint at this port; nobody has connected to it. */
async function check(type: OutletType, endpoint: (port: number) => string, said: RegExp): Promise<void> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  }).listen(0);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const settings = { endpoint: endpoint(port), headers: {}, credentials: {}, options: {}, folder: tmpdir(), reach };
  const target = await openTarget(type, settings);
  try {
    await assert.rejects(target.send(ROWS, new AbortController().signal), (error) => {
      assert.ok(error instanceof OutletError, String(error));
      assert.equal(error.isFinal, false);
      assert.match(error.message, said);
      return true;
    });
    assert.equal(connections, 0);
  } finally {
    await target.close();
    server.close();
  }
}

const ENDPOINTS: Readonly<Record<Exclude<OutletType, 'Parquet'>, (at: string) => string>> = {
  PrometheusRemoteWrite: (at) => `http://${at}/api/v1/write`,
  InfluxLine: (at) => `http://${at}`,
  PostgreSql: (at) => `postgresql://u@${at}/d`,
  Graphite: (at) => at,
  Nats: (at) => `nats://${at}`,
  Mqtt: (at) => `mqtt://${at}`,
  Http: (at) => `https://${at}/`,
};

for (const [type, endpoint] of Object.entries(ENDPOINTS))
  test(`${type} does not reach this machine, by its address or its name`, async () => {
    for (const host of ['127.0.0.1', '[::1]', 'localhost', '[::ffff:127.0.0.1]'])
      await check(
        type as OutletType,
        (port) => endpoint(`${host}:${port}`),
        /skerry cloud --outlet-allow .* lets them/,
      );
  });

test('an address in other digits is the same address', () =>
  check('Http', (port) => `http://0x7f.1:${port}/`, /127\.0\.0\.1.* may not reach it/));

test('nothing beside the host of an endpoint says where it leads', async () => {
  await check(
    'PostgreSql',
    () => 'postgresql://127.0.0.9/d?host=/var/run/postgresql',
    /127\.0\.0\.9.* may not reach it/,
  );
  await check('PostgreSql', () => 'socket:/var/run/postgresql', /must be a URL that begins with postgresql:/);
  await check('Mqtt', () => 'unix:/run/x.sock', /must be a URL that begins with mqtt:/);
  await check('Nats', (port) => `nats://127.0.0.1:${port},nats://192.0.2.1:${port}`, /must be a URL/);
});
