/** A pod whose image comes over a link that is slow and breaks all the time, while its agent is killed. */
import assert from 'node:assert/strict';
import { after, before, suite, type TestContext, test } from 'node:test';
import type { Pod } from '@skerry/api/types';
import {
  CONTAINERD,
  eventually,
  PROCESS,
  type Runtime,
  skipWithout,
  TcpProxy,
  TestContainerd,
  TestEdge,
} from '@skerry/testkit/processes';
import { RegistryCloud } from './tools.ts';

const MB = 1_000_000;
const LEAST_IMAGE_BYTES = 20 * MB;
const BYTES_PER_SECOND = MB;
/** Three seconds. By bytes and not by a clock, so that breaks cost the same on a machine that is busy. */
const BREAK_AFTER_BYTES = 3 * BYTES_PER_SECOND;
const PULL_MS = 300_000;

const skip = skipWithout('skopeo', 'busybox-static');
let registry: RegistryCloud;
let imageBytes = 0;

before(async () => {
  if (skip !== false) return;
  registry = await RegistryCloud.start([], LEAST_IMAGE_BYTES);
  await registry.push('team/web:1');
  imageBytes = await sizeOf('team/web', '1');
  await registry.cloud.apply(throughCloud());
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
});

suite('20 MB over 8 Mbit/s that breaks every 3 s, and through a kill -9 of the agent', { concurrency: true }, () => {
  for (const runtime of [PROCESS, CONTAINERD]) {
    const needs = skip || skipWithout(...runtime.needs);
    const promise = `with runtime ${runtime.name} the pod runs, and the link has carried less than 3 % more`;
    test(promise, { skip: needs }, (context) => pullOver(runtime, context));
  }
});

async function pullOver(runtime: Runtime, context: TestContext): Promise<void> {
  const { cloud } = registry;
  const name = `edge-${runtime.name}`;
  await using cable = await TcpProxy.start(cloud.linkAddress);
  await using containerd = runtime === CONTAINERD ? await TestContainerd.start() : undefined;
  const socket = containerd === undefined ? {} : { containerdSocket: containerd.socket };
  await using edge = await TestEdge.join(cloud, { name, args: ['--join', cable.address], ...socket });
  await cloud.kubectl(['wait', '--for=condition=Ready', `node/${name}`, '--timeout=30s']);
  await eventually('the node knows the way', () => edge.kubectl(['get', 'imageregistry', 'own']));
  cable.bytesPerSecond = BYTES_PER_SECOND;
  const before = cable.taken.down;
  const came = () => cable.taken.down - before;
  using breaking = breakEvery(cable, BREAK_AFTER_BYTES);
  await cloud.apply(podAt(name));
  await eventually('half of the image is here', () => came() > imageBytes / 2, { timeoutMs: PULL_MS });
  await edge.process.kill9();
  await edge.process.start();
  await eventually('the pod runs', () => isRunning(edge), { timeoutMs: PULL_MS });
  const percent = (came() / imageBytes - 1) * 100;
  context.diagnostic(`${runtime.name}: ${percent.toFixed(2)} % more, ${breaking.count} breaks`);
  assert.ok(breaking.count >= 6, `${breaking.count} breaks`);
  assert.ok(percent < 3, `${percent.toFixed(2)} % more`);
}

async function sizeOf(repository: string, tag: string): Promise<number> {
  const { text } = await registry.ask('GET', `/v2/${repository}/manifests/${tag}`);
  const { config, layers } = JSON.parse(text) as { config: Sized; layers: readonly Sized[] };
  return [config, ...layers].reduce((sum, { size }) => sum + size, 0);
}

interface Sized {
  readonly size: number;
}

function throughCloud(): object {
  return {
    apiVersion: 'apps.skerry.io/v1alpha1',
    kind: 'ImageRegistry',
    metadata: { name: 'own' },
    spec: { host: registry.host, pull: 'ThroughCloud' },
  };
}

function podAt(nodeName: string): object {
  const main = { name: 'main', image: `${registry.host}/team/web:1`, command: ['sleep', '1000'] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: nodeName, namespace: 'team' },
    spec: { nodeName, containers: [main], terminationGracePeriodSeconds: 1 },
  };
}

async function isRunning(edge: TestEdge): Promise<boolean> {
  const { status } = JSON.parse(await edge.kubectl(['get', 'pod', edge.name, '--namespace=team', '-o', 'json'])) as Pod;
  return status?.phase === 'Running';
}

function breakEvery(cable: TcpProxy, bytes: number): Disposable & { readonly count: number } {
  let count = 0;
  let next = cable.taken.down + bytes;
  const timer = setInterval(() => {
    if (cable.taken.down < next) return;
    count++;
    next = cable.taken.down + bytes;
    cable.break();
  }, 5);
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
