/**
 * A node of another architecture: agent, supervisor and a pod's program are arm64, run by an emulator of user programs. Cloud, kubectl,
 * bubblewrap and the shell of the other pod are this machine's own.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Node, Pod } from '@skerry/api/types';
import {
  COUNTING,
  deployment,
  emulated,
  eventually,
  LIB,
  nodeBinary,
  PROCESS,
  pod,
  skipWithout,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

const skip = skipWithout('root', 'qemu-user-static', 'libstdc++6-arm64-cross', ...PROCESS.needs);
const NAME = 'edge-arm64';
const PATIENCE = { timeoutMs: 120_000 };
const TIMEOUT = '--timeout=120s';

suite('on arm64', { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'skerry-arm64-'));
  let node: readonly [string, ...string[]];
  let cloud: TestCloud;
  let edge: TestEdge;
  let supervisor: ChildProcess;

  before(async () => {
    node = emulated(nodeBinary('arm64'));
    cloud = await TestCloud.start();
    supervisor = startSupervisor();
    const args = ['--join', cloud.linkAddress];
    edge = await TestEdge.join(cloud, { name: NAME, dir, ownsDir: true, node, args });
    await cloud.kubectl(['wait', '--for=condition=Ready', `node/${NAME}`, TIMEOUT], { timeoutMs: PATIENCE.timeoutMs });
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    supervisor?.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  /** An agent starts its own with the program it is itself, which this machine could not run. */
  function startSupervisor(): ChildProcess {
    const directory = join(dir, 'edge', NAME, 'supervisor');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const log = openSync(join(dir, 'supervisor.log'), 'a');
    const [program, ...rest] = node;
    const args = [...rest, join(LIB, 'supervisor.cjs'), '--directory', directory];
    const started = spawn(program, args, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    return started;
  }

  test('the node says what it is, by its label and in its status', async () => {
    const { metadata, status } = await cloud.get<Node>(['node', NAME]);
    assert.equal(metadata.labels?.['kubernetes.io/arch'], 'arm64');
    assert.equal(status?.nodeInfo?.architecture, 'arm64');
  });

  test('a deployment for its architecture is placed there, runs, and is heard from the cloud', async () => {
    const spec = { nodeSelector: { 'kubernetes.io/arch': 'arm64' } };
    await cloud.apply(deployment(PROCESS, { name: 'web', replicas: 2, script: COUNTING, spec }));
    await cloud.kubectl(['rollout', 'status', 'deployment/web', TIMEOUT], PATIENCE);
    const text = await cloud.kubectl(['logs', 'deployment/web', '--tail=1'], PATIENCE);
    assert.match(text, /^line \d+$/m);
    assert.equal(await cloud.kubectl(['exec', 'deployment/web', '--', 'echo', 'inside'], PATIENCE), 'inside\n');
  });

  test('a program of the architecture runs in a pod', async () => {
    const command = [...node, '-e', 'console.log(process.arch)'];
    const container = { command, securityContext: { runAsUser: 0 } };
    await cloud.apply(pod(PROCESS, { name: 'program', script: '', container, spec: { restartPolicy: 'Never' } }));
    await eventually('it has ended', async () => (await phaseOf('program')) === 'Succeeded', PATIENCE);
    assert.equal(await cloud.kubectl(['logs', 'program'], PATIENCE), 'arm64\n');
  });

  test('an agent that is killed and comes back finds its pods running', async () => {
    const before = await cloud.get<{ items: Pod[] }>(['pods', '-l', 'app=web']);
    await edge.process.kill9();
    await edge.process.start();
    await cloud.apply(pod(PROCESS, { name: 'later', script: COUNTING }));
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/later', TIMEOUT], PATIENCE);
    const after = await cloud.get<{ items: Pod[] }>(['pods', '-l', 'app=web']);
    const idsOf = ({ items }: { items: Pod[] }) =>
      items.map(({ status }) => status?.containerStatuses?.[0]?.containerID ?? '').sort();
    assert.deepEqual(idsOf(after), idsOf(before));
  });

  async function phaseOf(name: string): Promise<string | undefined> {
    return (await cloud.get<Pod>(['pod', name])).status?.phase;
  }
});
