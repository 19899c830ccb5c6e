/** Server-side apply of a Deployment by one client over TLS, each with a change. */
import { expectStatus, startApi } from './support/api-harness.ts';
import { percentile, report, round } from './support/figures.ts';

const SECONDS = 5;
const PATH = '/apis/apps/v1/namespaces/default/deployments/web?fieldManager=bench&force=true';

await using api = await startApi();
const client = await api.open();

async function applyFor(seconds: number) {
  const latencies: number[] = [];
  const end = performance.now() + seconds * 1000;
  for (let count = 0; performance.now() < end; count++) {
    const begun = performance.now();
    expectStatus(await client.request('PATCH', PATH, configuration(count), 'application/apply-patch+yaml'), 200, 201);
    latencies.push(performance.now() - begun);
  }
  latencies.sort((left, right) => left - right);
  return { perSecond: Math.round(latencies.length / seconds), p99Ms: round(percentile(latencies, 0.99)) };
}

function configuration(count: number): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' }, annotations: { round: String(count) } },
    spec: {
      replicas: (count % 5) + 1,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [
            {
              name: 'web',
              image: `web:${count}`,
              ports: [{ containerPort: 80 }],
              env: [
                { name: 'A', value: '1' },
                { name: 'B', value: '2' },
              ],
              resources: { requests: { cpu: '100m', memory: '64Mi' } },
            },
          ],
        },
      },
    },
  });
}

await applyFor(2);
const { perSecond, p99Ms } = await applyFor(SECONDS);
client.close();
const note = `resident memory of the server ${api.rssMb()} MB`;
report(
  { name: 'server-side apply, one client', value: perSecond, unit: '/s', atLeast: 1200, note },
  { name: 'server-side apply, one client, p99', value: p99Ms, unit: 'ms' },
);
