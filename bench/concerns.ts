/** What concerns 10,000 nodes: the index's start and memory, and the cost of changes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { builtinRows } from '@skerry/api/facts';
import { silentLogger, systemClock } from '@skerry/base';
import { type Concerns, openConcerns } from '@skerry/kube/replica';
import { openStore, type SqliteStore } from '@skerry/kube/store';
import { report } from './support/figures.ts';

const { values: options } = parseArgs({ options: { nodes: { type: 'string', default: '10000' } } });
const NODES = Number(options.nodes);
const PODS_A_NODE = 10;
const NAMESPACES = 100;
const CHANGES = 20_000;

const directory = mkdtempSync(join(tmpdir(), 'skerry-bench-concerns-'));
try {
  await measure();
} finally {
  rmSync(directory, { recursive: true });
}

async function measure() {
  const store = openStore({ file: join(directory, 'store.db'), clock: systemClock, log: silentLogger });
  for (let node = 0; node < NODES; node++) {
    void store.put(`/nodes//node-${node}`, JSON.stringify({ metadata: { name: `node-${node}` } }));
    for (let pod = 0; pod < PODS_A_NODE; pod++) void putPod(store, node, pod, 'first');
    if (node % 100 === 0) await store.durable();
  }
  await store.durable();
  globalThis.gc?.();
  const heapBefore = process.memoryUsage().heapUsed;
  const started = performance.now();
  const concerns = openConcerns({ store, rows: builtinRows, log: silentLogger });
  const startMs = Math.round(performance.now() - started);
  globalThis.gc?.();
  const heapBytes = process.memoryUsage().heapUsed - heapBefore;
  const changes = await measureChanges(store, concerns);
  await store.close();
  const note = `${NODES} nodes with ${PODS_A_NODE} pods each`;
  report(
    { name: 'index of what concerns each node, built', value: startMs, unit: 'ms', note },
    { name: 'its memory for each node', value: Math.round(heapBytes / NODES), unit: 'bytes' },
    { name: 'pod writes with 1,000 nodes following', value: changes, unit: '/s' },
  );
}

async function measureChanges(store: SqliteStore, concerns: Concerns) {
  for (let node = 0; node < NODES; node += 10) concerns.follow(`node-${node}`, () => {});
  const measured = performance.now();
  for (let i = 0; i < CHANGES; i++) {
    void putPod(store, i % NODES, i % PODS_A_NODE, 'second');
    if (i % 100 === 0) await store.durable();
  }
  await store.durable();
  return Math.round((CHANGES * 1000) / (performance.now() - measured));
}

function putPod(store: SqliteStore, node: number, pod: number, label: string) {
  const name = `pod-${node}-${pod}`;
  const namespace = `namespace-${node % NAMESPACES}`;
  const spec = {
    nodeName: `node-${node}`,
    serviceAccountName: 'default',
    containers: [{ name: 'main', envFrom: [{ configMapRef: { name: `config-${pod}` } }] }],
    volumes: [{ name: 'secret', secret: { secretName: `secret-${pod}` } }],
  };
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels: { label } }, spec };
  return store.put(`/pods/${namespace}/${name}`, JSON.stringify(object));
}
