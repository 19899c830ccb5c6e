/** A list of 10,000 ConfigMaps (about 6.7 MB of JSON) over TLS, then their deletion as a collection. */
import { expectStatus, startApi } from './support/api-harness.ts';
import { percentile, report, round } from './support/figures.ts';

const OBJECTS = 10_000;
const LISTS = 40;
const MAPS = '/api/v1/namespaces/default/configmaps';

await using api = await startApi();
const clients = await Promise.all(Array.from({ length: 32 }, () => api.open()));
let next = 0;
await Promise.all(
  clients.map(async (client) => {
    while (next < OBJECTS) {
      const metadata = { name: `map-${next++}`, labels: { app: 'bench' } };
      const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { key: 'x'.repeat(180) } });
      expectStatus(await client.request('POST', MAPS, body), 201);
    }
  }),
);
const [client] = clients;
if (client === undefined) throw new Error('no client');
const warm: number[] = [];
let bytes = 0;
for (let count = 0; count < LISTS; count++) {
  const begun = performance.now();
  const answer = await client.request('GET', `${MAPS}?resourceVersion=0`);
  warm.push(performance.now() - begun);
  expectStatus(answer, 200);
  bytes = answer.body.length;
}
const changed: number[] = [];
for (let count = 0; count < LISTS; count++) {
  const body = JSON.stringify({ data: { changed: String(count) } });
  expectStatus(await client.request('PATCH', `${MAPS}/map-${count}`, body, 'application/merge-patch+json'), 200);
  const begun = performance.now();
  expectStatus(await client.request('GET', MAPS), 200);
  changed.push(performance.now() - begun);
}
const rssMb = api.rssMb();
const begun = performance.now();
expectStatus(await client.request('DELETE', MAPS), 200);
const deleteMs = performance.now() - begun;
for (const each of clients) each.close();
const sorted = (values: readonly number[]) => [...values].sort((left, right) => left - right);
const note = `${round(bytes / 1e6)} MB of JSON; resident memory of the server ${rssMb} MB`;
report(
  {
    name: 'list of 10,000 ConfigMaps, median',
    value: round(percentile(sorted(warm), 0.5)),
    unit: 'ms',
    atMost: 25,
    note,
  },
  { name: 'list of 10,000 ConfigMaps, p99', value: round(percentile(sorted(warm), 0.99)), unit: 'ms' },
  { name: 'list after a write, median', value: round(percentile(sorted(changed), 0.5)), unit: 'ms', atMost: 25 },
  { name: 'deletecollection of 10,000', value: Math.round(deleteMs), unit: 'ms', atMost: 1500 },
);
