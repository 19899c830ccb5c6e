/** Durable writes over TLS with authorization and audit: creates by 32 clients and by one. Run: `node --conditions=source bench/api-writes.ts`. */
import { expectStatus, type LeanClient, percentile, report, round, startApi } from './api-harness.ts';

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
report({
  bench: 'api-writes',
  manyClientsPerSecond: many.perSecond,
  manyClientsP99Ms: many.p99Ms,
  oneClientPerSecond: one.perSecond,
  oneClientP99Ms: one.p99Ms,
  rssMb: api.rssMb(),
});
