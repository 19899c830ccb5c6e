/** Budgets that no change may overdraw unseen: memory and bytes, never times. Loose guards; bench/ measures. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deployment, eventually, PROCESS, TcpProxy, TestCloud, TestEdge } from '@skerry/testkit/processes';

const NODE = 'edge-1';
const PODS = 20;
/** Anonymous memory settles and shared pages stay: with the whole of Node's program counted, as on a machine of its own. */
const AGENT_RESIDENT_MB = 115;
const AGENT_PSS_MB = 95;
const SETTLE_MS = 60_000;
/** TCP payload of a comeback with nothing changed: TLS handshake (5.3 kB), HTTP upgrade, frames. */
const COMEBACK_BYTES = 7_000;
/** A path that lived shorter than this counts as a failure, after which the node waits longer. */
const STABLE_MS = 6_000;
const QUIET_MS = 500;

let cloud: TestCloud;
let edge: TestEdge;
let cable: TcpProxy;

before(async () => {
  cloud = await TestCloud.start();
  cable = await TcpProxy.start(cloud.linkAddress);
  edge = await TestEdge.join(cloud, { name: NODE, args: ['--join', cable.address] });
  await cloud.kubectl(['wait', '--for=condition=Ready', `node/${NODE}`, '--timeout=30s']);
  await cloud.apply(deployment(PROCESS, { name: 'idle', replicas: PODS, script: 'exec sleep 1000000' }));
  await cloud.kubectl(['rollout', 'status', 'deployment/idle', '--timeout=60s']);
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await cable?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

test('the agent with 20 idle pods stays within its memory', async () => {
  await sleep(SETTLE_MS);
  const rollup = readFileSync(`/proc/${edge.process.pid}/smaps_rollup`, 'utf8');
  const mb = (field: string) => Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1024;
  assert.ok(mb('Pss') < AGENT_PSS_MB, `${mb('Pss')} MB PSS`);
  assert.ok(mb('Rss') < AGENT_RESIDENT_MB, `${mb('Rss')} MB resident`);
});

test('a node that comes back with nothing changed costs a handshake and a few hundred bytes', async () => {
  const costs: number[] = [];
  for (let round = 0; round < 3; round++) {
    await sleep(STABLE_MS);
    cable.cut();
    const before = cable.bytes;
    cable.mend();
    costs.push((await whenQuiet(before)) - before);
  }
  // A heartbeat or a lease may fall into one of them.
  const [least = 0] = costs.toSorted((left, right) => left - right);
  assert.ok(least < COMEBACK_BYTES, `${least} bytes`);
});

/** Bytes so far, once some have come and then none for a while. */
function whenQuiet(before: number): Promise<number> {
  let seen = before;
  return eventually(
    'the node comes back',
    () => {
      const isQuiet = cable.bytes === seen && seen > before;
      seen = cable.bytes;
      return isQuiet ? seen : undefined;
    },
    { everyMs: QUIET_MS },
  );
}
