/** A node away and back with nothing changed, as real processes with a cable between them: time to quiet, bytes of TCP payload. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { linkTlsOptions, loadIdentity } from '@skerry/security/identity';
import { eventually, TcpProxy, type TestCloud, TestEdge } from '@skerry/testkit/processes';
import { percentile, report, round } from './support/figures.ts';
import { CONFIG_MAPS, clientOf, PODS, startSite, untilRunning } from './support/site.ts';

const HELD = 100;
const ROUNDS = 6;
const NODE = 'bench';
const AWAY_MS = 200;
/** A path that broke sooner counts as a failure, after which the node waits longer. */
const STABLE_MS = 6000;
/** What a comeback causes follows within this time; a heartbeat may fall into it, which the median does not show. */
const QUIET_MS = 400;

let cable: TcpProxy | undefined;
const start = async (cloud: TestCloud) => {
  cable = await TcpProxy.start(cloud.linkAddress);
  return TestEdge.join(cloud, { name: NODE, args: ['--join', cable.address] });
};
await using site = await startSite(NODE, start);
if (cable === undefined) throw new Error('there is no cable');
await using wire = cable;
await holdConfigMaps();

const bytes: number[] = [];
const waits: number[] = [];
const times: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  await sleep(STABLE_MS);
  wire.cut();
  await sleep(AWAY_MS);
  const before = wire.bytes;
  const mended = performance.now();
  wire.mend();
  const { first, last } = await burst(wire, before);
  bytes.push(wire.bytes - before);

  waits.push(first - mended);
  times.push(last - first);
}
const handshake = await bareHandshake();
const median = (values: readonly number[]) =>
  percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
const total = median(bytes);
report(
  {
    name: `back with ${HELD} objects held: first byte to quiet, median`,
    value: round(median(times)),
    unit: 'ms',
    atMost: 1000,
    note: `slowest ${round(Math.max(...times))} ms; before it the node waits for its next try, ${round(median(waits))} ms here`,
  },
  {
    name: 'TCP payload without the TLS handshake, median',
    value: total - handshake,
    unit: 'bytes',
    note: `HTTP upgrade, frames of the link and the records of TLS around them; with the handshake ${total} bytes, of which a bare mutual handshake with the same certificates is ${handshake}`,
  },
);

/** One pod that names as many ConfigMaps makes them concern its node. */
async function holdConfigMaps(): Promise<void> {
  const names = Array.from({ length: HELD }, (_, index) => `held-${index}`);
  const { client } = site;
  for (const name of names) {
    const metadata = { name, namespace: 'default' };
    await client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { key: 'x'.repeat(500) } });
  }
  const env = names.map((name) => ({
    name: name.toUpperCase().replace('-', '_'),
    valueFrom: { configMapKeyRef: { name, key: 'key' } },
  }));
  const main = { name: 'main', image: 'host', command: ['/bin/sleep', '1000000'], env };
  const spec = { nodeName: NODE, containers: [main], terminationGracePeriodSeconds: 1 };
  await client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'holder', namespace: 'default' },
    spec,
  });
  await untilRunning(client, 1);
  using local = await clientOf(site.edge.kubeconfig);
  await eventually('the node holds them', async () => {
    const { items } = await local.list(CONFIG_MAPS, { namespace: 'default' });
    return items.length >= HELD;
  });
}

/** When the first and the last byte came by, once it has been quiet for a while. */
async function burst(wire: TcpProxy, before: number): Promise<{ readonly first: number; readonly last: number }> {
  let seen = before;
  let first: number | undefined;
  let last = 0;
  for (;;) {
    await sleep(1);
    const now = performance.now();
    if (wire.bytes !== seen) {
      seen = wire.bytes;
      first ??= now;
      last = now;
    }
    if (first !== undefined && now - last > QUIET_MS) return { first, last };
  }
}

/** Bytes of a mutual TLS handshake with the node's own certificate and nothing after it. */
async function bareHandshake(): Promise<number> {
  const identity = loadIdentity(join(site.edge.dir, 'edge', NODE, 'identity'));
  if (identity === undefined) throw new Error('the node has no identity');
  await using wire = await TcpProxy.start(site.cloud.linkAddress);
  const [host, port] = wire.address.split(':');
  const socket = connect({
    host,
    port: Number(port),
    key: identity.keyPem,
    cert: identity.certificatePem,
    ...linkTlsOptions(identity.caPem),
  } as never);
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  await sleep(QUIET_MS);
  socket.destroy();
  return wire.bytes;
}
