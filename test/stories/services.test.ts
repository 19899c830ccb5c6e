/** Pods of one node find each other by name and Service, whichever runtime runs them, with and without the cloud. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Node, Pod, Service } from '@skerry/api/types';
import { newUid } from '@skerry/base';
import {
  CONTAINERD,
  eventually,
  freePort,
  ownBootId,
  PROCESS,
  pod,
  powerOffPods,
  type Runtime,
  skipWithout,
  TcpProxy,
  TestCloud,
  TestContainerd,
  TestEdge,
  withHostPrograms,
} from '@skerry/testkit/processes';

/** Its own name, so that its packet rules are told from those of other nodes on this machine. */
const NODE = `site-${randomBytes(3).toString('hex')}`;
const RUNTIMES = [CONTAINERD, PROCESS];
const CLIENT = 'trap "exit 0" TERM; while :; do sleep 0.1; done';
const skip = skipWithout('root', 'nftables', 'conntrack', 'curl', 'iproute2', ...CONTAINERD.needs, ...PROCESS.needs);

suite('Services of a node', { skip, concurrency: 1 }, () => {
  const work = mkdtempSync(join(tmpdir(), 'skerry-services-'));
  const bootId = join(work, 'boot-id');
  let cloud: TestCloud;
  let cable: TcpProxy;
  let containerd: TestContainerd;
  let edge: TestEdge;

  before(async () => {
    writeFileSync(bootId, `${newUid()}\n`);
    cloud = await TestCloud.start();
    cable = await TcpProxy.start(cloud.linkAddress);
    containerd = await TestContainerd.start();
    edge = await TestEdge.join(cloud, {
      name: NODE,
      args: ['--join', cable.address],
      containerdSocket: containerd.socket,
      wrapper: ownBootId(bootId),
    });
    for (const runtime of RUNTIMES) {
      await cloud.apply(pod(runtime, { name: `client-${runtime.name}`, script: CLIENT, ...withHostPrograms(runtime) }));
      await serve(runtime, `web-${runtime.name}`);
    }
    await cloud.kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s']);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await containerd?.[Symbol.asyncDispose]();
    await cable?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    assert.equal(ownTable(), undefined, 'nothing is left in the kernel');
    rmSync(work, { recursive: true, force: true });
  });

  /** The node's table in the kernel. */
  function ownTable(): string | undefined {
    const tables = execFileSync('nft', ['list', 'tables', 'ip'], { encoding: 'utf8' });
    return tables
      .split('\n')
      .map((line) => line.split(' ').at(-1))
      .find((name) => name?.startsWith(`skerry-${NODE}-`));
  }

  /** A pod that says its name, while the file /tmp/NAME is not there, behind a Service of the same name. */
  async function serve(runtime: Runtime, name: string, more: object = {}): Promise<void> {
    const port = await freePort();
    const script =
      runtime === PROCESS
        ? onAllAddresses(PROCESS.serve(port, name))
        : `mkdir -p /www; printf '%s' ${name} > /www/index.html; exec httpd -f -p ${port} -h /www`;
    const readinessProbe = { exec: { command: ['test', '!', '-e', `/tmp/away-${name}`] }, periodSeconds: 1 };
    const container = { readinessProbe, ports: [{ name: 'http', containerPort: port }] };
    await cloud.apply(pod(runtime, { name, script, container, spec: { hostname: name, subdomain: `${name}-all` } }));
    const spec = { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] };
    await cloud.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { ...spec, type: 'NodePort', ...more },
    });
    const headless = { ...spec, clusterIP: 'None' };
    await cloud.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: `${name}-all` }, spec: headless });
  }

  async function run(client: string, ...command: readonly string[]): Promise<string> {
    const { stdout, stderr, code } = await edge.tryKubectl(['exec', client, '--', ...command]);
    return code === 0 ? stdout : `failed: ${stderr}${stdout}`;
  }

  function fetch(client: Runtime, url: string): Promise<string> {
    return run(`client-${client.name}`, '/usr/bin/curl', '-sS', '--max-time', '5', url);
  }

  /** Every client reaches every server. */
  async function checkAll(): Promise<void> {
    for (const client of RUNTIMES) {
      for (const server of RUNTIMES) {
        const name = `web-${server.name}`;
        await eventually(`${client.name} reaches ${name}`, async () => {
          assert.equal(await fetch(client, `http://${name}`), name);
          return true;
        });
      }
    }
  }

  test('a pod reaches another by the name of its Service', checkAll);

  test('every form of the name leads there, and the address itself', async () => {
    const { spec } = await cloud.get<Service>(['service', 'web-containerd']);
    for (const client of RUNTIMES) {
      for (const name of [
        'web-containerd.default',
        'web-containerd.default.svc.cluster.local',
        spec?.clusterIP ?? '',
      ]) {
        assert.equal(await fetch(client, `http://${name}`), 'web-containerd', `${client.name} → ${name}`);
      }
    }
  });

  test('a headless name stands for the pods themselves, and each pod has a name below it', async () => {
    const { spec } = await cloud.get<Pod>(['pod', 'web-containerd']);
    const port = spec?.containers[0]?.ports?.[0]?.containerPort;
    for (const client of RUNTIMES) {
      assert.equal(await fetch(client, `http://web-containerd-all:${port}`), 'web-containerd');
      assert.equal(await fetch(client, `http://web-containerd.web-containerd-all:${port}`), 'web-containerd');
    }
  });

  test('a node port leads to the Service from the host', async () => {
    const { addresses } = (
      await cloud.get<{ status: { addresses: { type: string; address: string }[] } }>(['node', NODE])
    ).status;
    const ip = addresses.find(({ address }) => address.includes('.'))?.address;
    for (const { name } of RUNTIMES) {
      const { spec } = await cloud.get<Service>(['service', `web-${name}`]);
      const url = `http://${ip}:${spec?.ports?.[0]?.nodePort}`;
      assert.equal(execFileSync('curl', ['-sS', '--max-time', '5', url], { encoding: 'utf8' }), `web-${name}`);
    }
  });

  test('what is not ready gets no traffic, and a Service without endpoints refuses at once', async () => {
    await run('web-containerd', 'touch', '/tmp/away-web-containerd');
    for (const client of RUNTIMES) {
      await eventually('refused', async () => /failed to connect/i.test(await fetch(client, 'http://web-containerd')));
    }
    await run('web-containerd', 'rm', '/tmp/away-web-containerd');
    await checkAll();
  });

  test('cut off, names and Services work on, and follow what happens here', async () => {
    cable.cut();
    await checkAll();
    await run('web-containerd', 'touch', '/tmp/away-web-containerd');
    await eventually('refused', async () => /failed to connect/i.test(await fetch(PROCESS, 'http://web-containerd')));
    await run('web-containerd', 'rm', '/tmp/away-web-containerd');
    await checkAll();
  });

  test('cut off, an agent that is killed leaves Services working, and names come back with the next one', async () => {
    const { spec } = await edge
      .kubectl(['get', 'service', 'web-containerd', '-o', 'json'])
      .then((text) => JSON.parse(text) as Service);
    await edge.process.kill9();
    const url = `http://${spec?.clusterIP}`;
    assert.equal(execFileSync('curl', ['-sS', '--max-time', '5', url], { encoding: 'utf8' }), 'web-containerd');
    await edge.process.start();
    await checkAll();
  });

  test('cut off, after the machine was off, pods find each other again', async () => {
    await edge.process.kill9();
    powerOffPods(join(edge.dir, 'edge', NODE));
    await containerd.powerOff();
    const table = ownTable() ?? '';
    execFileSync('nft', ['delete', 'table', 'ip', table]);
    execFileSync('ip', ['link', 'delete', `sk${table.split('-').at(-1)}`]);
    writeFileSync(bootId, `${newUid()}\n`);
    await Promise.all([edge.process.start(), containerd.start()]);
    await checkAll();
  });
});

/** Servers of tests listen at the loopback address otherwise. */
function onAllAddresses(script: string): string {
  return script.replace('127.0.0.1', '0.0.0.0');
}

const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];

/** Some hosts let only root make namespaces. */
function skipRootless(): string | false {
  const missing = skipWithout('root', 'bubblewrap', 'curl');
  if (missing !== false) return missing;
  const [setpriv = '', ...words] = AS_NOBODY;
  const { status } = spawnSync(setpriv, [...words, 'bwrap', '--dev-bind', '/', '/', 'true']);
  return status === 0 ? false : 'this host lets nobody but root make namespaces';
}

test('without root, a process pod finds another by the name of its Service, at the port that it serves', {
  skip: skipRootless(),
}, async () => {
  await using cloud = await TestCloud.start();
  const dir = mkdtempSync(join(tmpdir(), 'skerry-rootless-'));
  mkdirSync(`${dir}-keys`);
  chmodSync(dir, 0o755);
  for (const path of [dir, `${dir}-keys`]) chownSync(path, NOBODY, NOBODY);
  await using edge = await TestEdge.join(cloud, { name: 'edge-1', dir, ownsDir: true, wrapper: AS_NOBODY });
  const port = await freePort();
  await cloud.apply(pod(PROCESS, { name: 'web', script: onAllAddresses(PROCESS.serve(port, 'web')) }));
  const spec = { selector: { app: 'web' }, ports: [{ port }] };
  await cloud.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec });
  await cloud.apply(pod(PROCESS, { name: 'client', script: CLIENT }));
  await cloud.kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s']);
  await eventually('the client reaches it by name', async () => {
    const { stdout } = await edge.tryKubectl([
      'exec',
      'client',
      '--',
      'curl',
      '-s',
      '--max-time',
      '5',
      `http://web:${port}`,
    ]);
    return stdout === 'web';
  });
  const { status } = await cloud.get<Node>(['node', 'edge-1']);
  const condition = status?.conditions?.find(({ type }) => type === 'ServicesAvailable');
  assert.deepEqual([condition?.status, condition?.reason], ['False', 'NotRoot']);
});
