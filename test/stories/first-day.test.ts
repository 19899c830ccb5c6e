/** Story 1: join, deploy, roll out, roll back, scale, configure, look inside, delete. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Pod } from '@skerry/api/types';
import {
  COUNTING,
  deployment,
  eventually,
  GROUNDS,
  type Ground,
  type GroundKind,
  kubectlPath,
  pod,
  type Runtime,
  skipWithout,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

for (const kind of GROUNDS) suite(`with ${kind.name}`, { skip: skipWithout(...kind.needs) }, () => tell(kind));

function tell(kind: GroundKind): void {
  let cloud: TestCloud;
  let edge: TestEdge;
  let ground: Ground;
  let runtime: Runtime;
  const work = mkdtempSync(join(tmpdir(), 'skerry-story-'));

  before(async () => {
    cloud = await TestCloud.start();
    ground = await kind.open();
    ({ runtime } = ground);
    edge = await TestEdge.join(cloud, { name: 'edge-1', ...ground.edge });
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await ground?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  async function pods(selector: string): Promise<readonly Pod[]> {
    return (await cloud.get<{ items: Pod[] }>(['pods', '-l', selector])).items;
  }

  test('three replicas run, a new version rolls out, and the old one comes back', async () => {
    await cloud.apply(deployment(runtime, { name: 'web', replicas: 3, script: `echo version one; ${COUNTING}` }));
    await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    await cloud.apply(deployment(runtime, { name: 'web', replicas: 3, script: `echo version two; ${COUNTING}` }));
    await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    await eventually('only the second version is left', async () => (await pods('app=web')).length === 3);
    assert.match(await cloud.kubectl(['logs', 'deployment/web', '--tail=-1']), /version two/);
    assert.match(await cloud.kubectl(['rollout', 'history', 'deployment/web']), /1[\s\S]*2/);
    await cloud.kubectl(['rollout', 'undo', 'deployment/web']);
    await cloud.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    const running = await eventually('only the first version is left', async () => {
      const found = await pods('app=web');
      return found.length === 3 && found;
    });
    for (const each of running) assert.match(await cloud.kubectl(['logs', each.metadata.name ?? '']), /version one/);
  });

  test('scaling makes and ends pods', async () => {
    await cloud.kubectl(['scale', 'deployment/web', '--replicas=5']);
    await cloud.kubectl(['wait', '--for=jsonpath={.status.readyReplicas}=5', 'deployment/web', '--timeout=60s']);
    await cloud.kubectl(['scale', 'deployment/web', '--replicas=1']);
    await eventually('one pod is left', async () => (await pods('app=web')).length === 1);
  });

  test('a changed ConfigMap is seen in the pod that mounts it', async () => {
    await cloud.kubectl(['create', 'configmap', 'settings', '--from-literal=greeting=hello']);
    const volumes = { volumes: [{ name: 'settings', configMap: { name: 'settings' } }] };
    const container = { volumeMounts: [{ name: 'settings', mountPath: '/settings' }] };
    await cloud.apply(
      pod(runtime, {
        name: 'reader',
        script: COUNTING,
        spec: { ...volumes, terminationGracePeriodSeconds: 1 },
        container: { ...container },
      }),
    );
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/reader', '--timeout=30s']);
    const read = () => cloud.kubectl(['exec', 'reader', '--', 'cat', '/settings/greeting']);
    assert.equal(await read(), 'hello');
    await cloud.kubectl(['patch', 'configmap', 'settings', '-p', '{"data":{"greeting":"good evening"}}']);
    await eventually('the new greeting is there', async () => (await read()) === 'good evening');
  });

  test('exec gives the program its input and the caller its output and exit code', async () => {
    const echoed = await cloud.kubectl(['exec', '-i', 'reader', '--', 'cat'], { input: 'through the link and back\n' });
    assert.equal(echoed, 'through the link and back\n');
    const { code, stderr } = await cloud.tryKubectl(['exec', 'reader', '--', 'sh', '-c', 'exit 7']);
    assert.equal(code, 7, stderr);
    for (const version of ['1.32', '1.35'] as const) {
      assert.equal(await cloud.kubectl(['exec', 'reader', '--', 'printf', 'x y'], { version }), 'x y');
    }
  });

  test('files are copied into and out of a pod', async () => {
    const file = join(work, 'there');
    writeFileSync(file, 'x'.repeat(300_000));
    await cloud.kubectl(['cp', file, 'reader:/tmp/skerry-story-copy']);
    await cloud.kubectl(['cp', 'reader:/tmp/skerry-story-copy', join(work, 'back')]);
    assert.equal(readFileSync(join(work, 'back'), 'utf8').length, 300_000);
    await cloud.kubectl(['exec', 'reader', '--', 'rm', '/tmp/skerry-story-copy']);
  });

  test('logs are followed as they are written', async () => {
    const child = spawn(kubectlPath(), [`--kubeconfig=${cloud.kubeconfig}`, 'logs', '-f', '--tail=1', 'reader']);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await eventually('ten more lines', () => text.split('\n').length > 10);
    child.kill();
    const numbers = [...text.matchAll(/line (\d+)/g)].map((match) => Number(match[1]));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => (numbers[0] ?? 0) + index),
    );
  });

  test('port-forward reaches a server in a pod', async () => {
    const server = runtime.serve(18080, 'hello from the pod');
    await cloud.apply(pod(runtime, { name: 'server', script: server }));
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/server', '--timeout=30s']);
    for (const version of ['1.32', '1.35'] as const) {
      const child = spawn(kubectlPath(version), [
        `--kubeconfig=${cloud.kubeconfig}`,
        'port-forward',
        'pod/server',
        ':18080',
      ]);
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const port = await eventually('the local port', () => /127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
      const answer = await eventually('an answer', () => fetchText(Number(port)));
      child.kill();
      assert.equal(answer, 'hello from the pod');
    }
  });

  test('deleting ends everything, and nothing of it is left on the node', async () => {
    await cloud.kubectl([
      'delete',
      'deployment/web',
      'pod/reader',
      'pod/server',
      'configmap/settings',
      '--timeout=60s',
    ]);
    await eventually('no pod is left', async () => (await cloud.get<{ items: Pod[] }>(['pods'])).items.length === 0);
    const local = JSON.parse(await edge.kubectl(['get', 'pods', '-A', '-o', 'json'])) as { items: Pod[] };
    assert.deepEqual(local.items, []);
  });
}

function fetchText(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}
