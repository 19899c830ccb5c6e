/** Fan-out of a change to 100 and to 500 watchers over TLS: from sending the write to the last byte at each. */
import { expectStatus, type LeanClient, startApi } from './support/api-harness.ts';
import { percentile, report, round } from './support/figures.ts';

const ROUNDS = 200;
const WARM_UP_ROUNDS = 50;
const MAPS = '/api/v1/namespaces/default/configmaps';

await using api = await startApi();
const writer = await api.open();
expectStatus(await writer.request('POST', MAPS, JSON.stringify({ metadata: { name: 'watched' } })), 201);

async function fanOut(watchers: number) {
  const clients: LeanClient[] = [];
  let onEvent: (() => void) | undefined;
  for (let count = 0; count < watchers; count++) {
    const client = await api.open();
    client.stream(`${MAPS}?watch=1`, (chunk) => {
      if (chunk.includes('"MODIFIED"')) onEvent?.();
    });
    clients.push(client);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  const latencies: number[] = [];
  for (let count = -WARM_UP_ROUNDS; count < ROUNDS; count++) {
    const body = JSON.stringify({ data: { round: `${watchers}-${count}` } });
    const begun = performance.now();
    const all = new Promise<void>((resolve) => {
      let seen = 0;
      onEvent = () => {
        if (count >= 0) latencies.push(performance.now() - begun);
        if (++seen === watchers) resolve();
      };
    });
    expectStatus(await writer.request('PATCH', `${MAPS}/watched`, body, 'application/merge-patch+json'), 200);
    await all;
  }
  for (const client of clients) client.close();
  latencies.sort((left, right) => left - right);
  return { p50: round(percentile(latencies, 0.5)), p99: round(percentile(latencies, 0.99)) };
}

const hundred = await fanOut(100);
const fiveHundred = await fanOut(500);
writer.close();
const note = `resident memory of the server ${api.rssMb()} MB`;
report(
  { name: 'a change at all of 100 watchers, p50', value: hundred.p50, unit: 'ms' },
  { name: 'a change at all of 100 watchers, p99', value: hundred.p99, unit: 'ms', atMost: 5 },
  { name: 'a change at all of 500 watchers, p50', value: fiveHundred.p50, unit: 'ms', note },
  { name: 'a change at all of 500 watchers, p99', value: fiveHundred.p99, unit: 'ms', atMost: 15 },
);
