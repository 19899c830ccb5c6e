/** Durable writes over TLS with authorization and audit: creates by 32 clients and by one. */
import { expectStatus, type LeanClient, startApi } from './support/api-harness.ts';
import { percentile, report, round } from './support/figures.ts';

const SECONDS = 5;
const WARM_UP_SECONDS = 2;
const MAPS = '/api/v1/namespaces/default/configmaps';

await using api = await startApi();
let next = 0;

async function writeFor(clients: readonly LeanClient[], seconds: number) {
  const latencies: number[] = [];
  const end = performance.now() + seconds * 1000;
  const startedAt = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end) {
        const body = JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: `map-${next++}`, labels: { app: 'bench' } },
          data: { key: 'x'.repeat(400) },
        });
        const begun = performance.now();
        expectStatus(await client.request('POST', MAPS, body), 201);
        latencies.push(performance.now() - begun);
      }
    }),
  );
  latencies.sort((left, right) => left - right);
  const elapsed = (performance.now() - startedAt) / 1000;
  return { perSecond: Math.round(latencies.length / elapsed), p99Ms: round(percentile(latencies, 0.99)) };
}

const clients = await Promise.all(Array.from({ length: 32 }, () => api.open()));
await writeFor(clients, WARM_UP_SECONDS);
const many = await writeFor(clients, SECONDS);
const one = await writeFor(clients.slice(0, 1), SECONDS);
for (const client of clients) client.close();
const note = `resident memory of the server ${api.rssMb()} MB`;
report(
  { name: 'durable creates, 32 clients', value: many.perSecond, unit: '/s', atLeast: 6500, note },
  { name: 'durable creates, 32 clients, p99', value: many.p99Ms, unit: 'ms', atMost: 18 },
  { name: 'durable creates, one client', value: one.perSecond, unit: '/s', atLeast: 1500 },
  { name: 'durable creates, one client, p99', value: one.p99Ms, unit: 'ms' },
);
