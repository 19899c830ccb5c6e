/** The cloud from start to serving: the first time, again, and again with 10,000 objects; its memory while idle (`--seconds N`). */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TestCloud } from '@skerry/testkit/processes';
import { percentile, report, round } from './support/figures.ts';
import { memoryOf } from './support/running.ts';
import { CONFIG_MAPS, clientOf } from './support/site.ts';

const ROUNDS = 5;
const OBJECTS = 10_000;
const WRITERS = 32;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
const seconds = Number(values.seconds);

const firsts: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const begun = performance.now();
  await using _cloud = await TestCloud.start();
  firsts.push(performance.now() - begun);
}

await using cloud = await TestCloud.start();
const agains = await restarts(cloud);
await sleep(seconds * 1000);
const empty = memoryOf(cloud.process.pid);
await fill(cloud);
const loaded = await restarts(cloud);
await sleep(seconds * 1000);
const full = memoryOf(cloud.process.pid);

const median = (times: readonly number[]) =>
  Math.round(
    percentile(
      times.toSorted((a, b) => a - b),
      0.5,
    ),
  );
const inWords = ({ pssMb, privateMb }: typeof empty) => `${round(pssMb)} MB PSS, ${round(privateMb)} MB private`;
const after = `after ${seconds} idle seconds`;
report(
  { name: 'first start to serving, keys made, median', value: median(firsts), unit: 'ms', atMost: 1000 },
  { name: 'start again to serving, median', value: median(agains), unit: 'ms', atMost: 1000 },
  { name: 'start again with 10,000 objects, median', value: median(loaded), unit: 'ms', atMost: 1000 },
  { name: 'idle, resident', value: round(empty.rssMb), unit: 'MB', atMost: 130, note: `${after}; ${inWords(empty)}` },
  {
    name: 'idle with 10,000 objects, resident',
    value: round(full.rssMb),
    unit: 'MB',
    atMost: 130,
    note: `${after} since a restart; ${inWords(full)}`,
  },
);

async function restarts({ process: server }: TestCloud): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await server.stop();
    const begun = performance.now();
    await server.start();
    times.push(performance.now() - begun);
  }
  return times;
}

async function fill({ kubeconfig }: TestCloud): Promise<void> {
  using client = await clientOf(kubeconfig);
  let next = 0;
  const write = async () => {
    while (next < OBJECTS) {
      const metadata = { name: `map-${next++}`, namespace: 'default' };
      await client.create(CONFIG_MAPS, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata,
        data: { key: 'x'.repeat(180) },
      });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}
