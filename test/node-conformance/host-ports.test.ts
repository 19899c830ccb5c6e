/** Ports of the host that lead into a container, by the CNI plugin that does it everywhere. */
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { after, before, suite, test } from 'node:test';
import type { Pod } from '@skerry/api/types';
import {
  CONTAINERD,
  eventually,
  freePort,
  pod,
  skipWithout,
  TestCloud,
  TestContainerd,
  TestEdge,
} from '@skerry/testkit/processes';

const CONTAINER_PORT = 8080;
const ANSWER_MS = 5_000;
const skip = skipWithout(...CONTAINERD.needs);

suite('ports of the host', { skip }, () => {
  let containerd: TestContainerd;
  let cloud: TestCloud;
  let edge: TestEdge;

  before(async () => {
    [containerd, cloud] = await Promise.all([TestContainerd.start([], { hostPorts: true }), TestCloud.start()]);
    const args = ['--join', cloud.linkAddress];
    edge = await TestEdge.join(cloud, { name: 'edge-1', args, containerdSocket: containerd.socket });
  });
  after(async () => {
    // The rules of a port go with its sandbox.
    await cloud?.tryKubectl(['delete', 'pod', '--all', '--wait', '--timeout=60s']);
    await edge?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    await containerd?.[Symbol.asyncDispose]();
  });

  /** Creates a pod that answers HTTP with its name, by `hostPort`. */
  async function serve(name: string, hostPort: number): Promise<void> {
    const script = `mkdir -p /www; printf '%s' ${name} > /www/index.html; exec httpd -f -p ${CONTAINER_PORT} -h /www`;
    const readinessProbe = { tcpSocket: { port: CONTAINER_PORT }, periodSeconds: 1 };
    const container = { ports: [{ containerPort: CONTAINER_PORT, hostPort }], readinessProbe };
    await cloud.apply(pod(CONTAINERD, { name, script, container }));
  }

  /** Whoever answers there. */
  async function answerAt(name: string, hostPort: number): Promise<string> {
    await cloud.kubectl(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s']);
    const { status } = await cloud.get<Pod>(['pod', name]);
    assert.notEqual(status?.podIP, status?.hostIP);
    return ask(`http://${status?.hostIP}:${hostPort}/`);
  }

  test('a port of the host leads to one pod at a time, and the next pod waits for it unscheduled', async () => {
    const port = await freePort();
    await serve('first', port);
    assert.equal(await answerAt('first', port), 'first');

    await serve('second', port);
    await eventually('the second is told why it waits', async () => {
      const { spec, status } = await cloud.get<Pod>(['pod', 'second']);
      const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
      assert.equal(spec?.nodeName, undefined);
      assert.equal(status?.phase, 'Pending');
      return scheduled?.reason === 'Unschedulable' && /didn't have free ports/.test(scheduled.message ?? '');
    });

    await cloud.kubectl(['delete', 'pod', 'first', '--wait', '--timeout=60s']);
    assert.equal(await answerAt('second', port), 'second');
  });
});

function ask(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: ANSWER_MS }, (response) => {
      response.toArray().then((chunks) => resolve(chunks.join('')), reject);
    });
    request.once('timeout', () => request.destroy(new Error(`no answer from ${url}`)));
    request.once('error', reject);
  });
}
