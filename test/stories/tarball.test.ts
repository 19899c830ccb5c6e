/** Story 8: a node joins from the tarball, where there is neither Node nor npm, and no way but the one to the cloud. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  CHECKOUT,
  COUNTING,
  eventually,
  GROUNDS,
  type Ground,
  type GroundKind,
  pod,
  powerOffPods,
  runToEnd,
  skipWithout,
  TestCloud,
} from '@skerry/testkit/processes';

/** Of the range for documentation: no machine has them. One pair a process, so that two runs do not meet. */
const SUBNET = `198.51.100.${(process.pid % 64) * 4}`;
const CLOUD_ADDRESS = SUBNET.replace(/\d+$/, (last) => `${Number(last) + 1}`);
const EDGE_ADDRESS = SUBNET.replace(/\d+$/, (last) => `${Number(last) + 2}`);
const NAMESPACE = `skerry-${process.pid}`;
const CABLE = `sk${process.pid}`;
const NODE = 'far-1';
/** Nobody answers what is dropped. */
const UNREACHED_MS = 1000;
/** Runs what follows in the node's network; all else is the machine's. */
const IN_NETWORK = ['nsenter', `--net=/run/netns/${NAMESPACE}`, '--'];

const work = mkdtempSync(join(tmpdir(), 'skerry-tarball-'));
const home = join(work, 'home');
const tools = join(work, 'tools');
let release: string;

before(async () => {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const script = join(CHECKOUT, 'scripts', 'pack.ts');
  await must(process.execPath, ['--conditions=source', script, '--arch', arch, '--fast', '--out', work]);
  const name = readdirSync(work).find((file) => file.endsWith(`-linux-${arch}.tar.gz`)) ?? '';
  await must('tar', ['-xzf', join(work, name), '-C', work]);
  release = join(work, name.replace('.tar.gz', ''));
  // What any Linux has, and no Node.
  mkdirSync(tools);
  for (const folder of ['/usr/sbin', '/sbin', '/usr/bin', '/bin']) linkAll(folder);
});
after(() => rmSync(work, { recursive: true, force: true }));

function linkAll(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (/^(?:node|nodejs|npm|npx|corepack)$/.test(name)) continue;
    try {
      symlinkSync(join(folder, name), join(tools, name));
    } catch {
      // An earlier folder of the path has it.
    }
  }
}

async function must(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(command, args);
  assert.equal(code, 0, `${command} ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

/** What a command sees on a machine that has our release and nothing else of ours. */
const bare = (command: readonly string[]) => ['env', '-i', `PATH=${tools}`, `HOME=${home}`, ...command];

/** A network of its own for the block: one cable to us, no route to anywhere else. */
async function layCable(): Promise<AsyncDisposable> {
  const inside = ['netns', 'exec', NAMESPACE, 'ip'];
  await must('ip', ['netns', 'add', NAMESPACE]);
  await must('ip', ['link', 'add', CABLE, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', NAMESPACE]);
  await must('ip', ['addr', 'add', `${CLOUD_ADDRESS}/30`, 'dev', CABLE]);
  await must('ip', ['link', 'set', CABLE, 'up']);
  await must('ip', [...inside, 'addr', 'add', `${EDGE_ADDRESS}/30`, 'dev', 'eth0']);
  for (const device of ['lo', 'eth0']) await must('ip', [...inside, 'link', 'set', device, 'up']);
  return {
    [Symbol.asyncDispose]: async () => {
      await runToEnd('ip', ['link', 'delete', CABLE]);
      await must('ip', ['netns', 'delete', NAMESPACE]);
    },
  };
}

function startEdge(name: string, args: readonly string[]): ChildProcess {
  const log = openSync(edgeLog(name), 'a');
  // The channel over which it is told to end with its pods is the fourth of its files.
  const agent = bare(['NODE_CHANNEL_FD=3', join(release, 'skerry'), 'edge', ...args]);
  const [command = '', ...rest] = [...IN_NETWORK, ...agent];
  return spawn(command, rest, { stdio: ['ignore', log, log, 'ipc'] });
}

const edgeLog = (name: string) => join(work, `edge-${name}.log`);

async function stopWithPods(edge: ChildProcess): Promise<void> {
  if (edge.exitCode !== null) return;
  const ended = new Promise((resolve) => edge.once('exit', resolve));
  edge.send({ stop: 'with-pods' });
  await ended;
}

test('the release needs no Node of the machine', async () => {
  const found = await runToEnd('env', bare(['sh', '-c', 'command -v node || command -v npm']).slice(1));
  assert.notEqual(found.code, 0, found.stdout);
  const said = await must('env', bare([join(release, 'skerry'), 'version', '-o', 'json']).slice(1));
  const { version } = JSON.parse(said) as { version: string };
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.ok(release.includes(`skerry-${version}-linux-`));
});

for (const kind of GROUNDS) {
  const skip = skipWithout('root', 'iproute2', ...kind.needs);
  test(`a node behind its own network joins from the tarball and runs a pod with ${kind.name}`, { skip }, () =>
    joinFromTarball(kind),
  );
}

/** Logs and exec reach it through its link. */
async function joinFromTarball({ name, open }: GroundKind): Promise<void> {
  await using _cable = await layCable();
  await using cloud = await TestCloud.start({ host: CLOUD_ADDRESS });
  await using ground = await open({ wrapper: IN_NETWORK });
  const socket = ground.edge.containerdSocket ?? join(work, 'no-containerd');
  const token = await cloud.createToken(NODE);
  const data = join(work, `data-${name}`);
  const edge = startEdge(name, ['--token', token, '--data-dir', data, '--containerd-socket', socket]);
  try {
    await eventually('the node joins', async () => {
      assert.equal(edge.exitCode, null, readFileSync(edgeLog(name), 'utf8'));
      return cloud.kubectl(['wait', '--for=condition=Ready', `node/${NODE}`, '--timeout=10s']);
    });
    await runFar(cloud, ground);
    await checkListeners();
    await cloud.kubectl(['delete', 'pod', 'far', '--timeout=30s']);
  } finally {
    await stopWithPods(edge);
  }
}

/** Only loopback listens, and the address at which the node serves its own pods names and the API: nobody else gets there. */
async function checkListeners(): Promise<void> {
  const open = await must('ip', ['netns', 'exec', NAMESPACE, 'ss', '-Hltn']);
  for (const line of open.trim().split('\n')) {
    if (/ (?:127\.0\.0\.1|\[::1\]):/.test(line)) continue;
    const [, address, port] = / (169\.254\.\d+\.\d+):(\d+) /.exec(line) ?? [];
    assert.ok(address !== undefined, line);
    await must('ip', ['route', 'replace', `${address}/32`, 'via', EDGE_ADDRESS, 'dev', CABLE]);
    assert.ok(!(await isReached(address, Number(port))), `${address}:${port} is reached over the cable`);
  }
}

function isReached(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: UNREACHED_MS });
  const reached = new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    for (const end of ['timeout', 'error']) socket.once(end, () => resolve(false));
  });
  return reached.finally(() => socket.destroy());
}

async function runFar(cloud: TestCloud, { runtime, registry }: Ground): Promise<void> {
  // The node has no way to any registry: its image comes through its link as well.
  if (registry !== undefined) await cloud.apply(throughCloud(registry.host));
  const spec = { nodeName: NODE, hostNetwork: true };
  await cloud.apply(pod(runtime, { name: 'far', script: COUNTING, spec }));
  await cloud.kubectl(['wait', '--for=condition=Ready', 'pod/far', '--timeout=60s']);
  assert.match(await cloud.kubectl(['logs', 'far']), /^line 1$/m);
  assert.match(await cloud.kubectl(['exec', 'far', '--', 'ip', 'addr']), new RegExp(`inet ${EDGE_ADDRESS}/30`));
  const echoed = await cloud.kubectl(['exec', '-i', 'far', '--', 'cat'], { input: 'over the cable' });
  assert.equal(echoed, 'over the cable');
}

function throughCloud(host: string): object {
  const spec = { host, pull: 'ThroughCloud' };
  return { apiVersion: 'apps.skerry.io/v1alpha1', kind: 'ImageRegistry', metadata: { name: 'far' }, spec };
}

test('the factory comes up from the tarball, and its devices end with it, however it ends', {
  skip: skipWithout('root', 'iproute2', 'procps'),
}, async () => {
  await using _cable = await layCable();
  const data = join(work, 'data-factory');
  const inside = (args: readonly string[]) => [...IN_NETWORK, ...bare([join(release, 'skerry'), ...args])];
  const flags = ['--data-dir', data, '--key-file', join(work, 'factory.key'), '--registry-listen', 'none'];
  const [command = '', ...rest] = inside(['up', '--demo', 'factory', ...flags]);
  const up = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [up.stdout, up.stderr]) stream.on('data', (text) => (said += String(text)));
  try {
    await eventually('what to try', () => {
      assert.equal(up.exitCode, null, said);
      return said.includes(`${join(release, 'skerry')} device watch`);
    });
    for (const device of ['meter-1', 'press-1', 'scale-1', 'hall-1'])
      await eventually(`values of ${device}`, async () => {
        const [get = '', ...args] = inside(['device', 'get', device, '-o', 'json', '--data-dir', data]);
        const { stdout } = await runToEnd(get, args);
        return stdout.includes('"Good"');
      });
  } finally {
    const ended = once(up, 'exit');
    up.kill('SIGKILL');
    await ended;
  }
  await eventually('the end of everything that listened', async () => {
    const open = await must('ip', ['netns', 'exec', NAMESPACE, 'ss', '-Hltn']);
    return !/:(?:15020|15040|15060|15083|4840) /.test(open);
  });
  // It outlives whatever was killed, as it should.
  powerOffPods(join(data, 'edge', 'edge-1'));
});

for (const [service, args] of [
  ['cloud', ['--listen', '0.0.0.0:6443']],
  ['edge', ['--node', 'edge-7', '--data-dir', '/var/lib/skerry']],
] as const) {
  test(`the ${service} is installed as a service, without any network`, async (t) => {
    const root = join(work, `root-${service}`);
    const install = [join(release, 'skerry'), 'install', service, '--root', root, '--', ...args];
    const offline = process.getuid?.() === 0 ? ['unshare', '-n', ...bare(install)] : bare(install);
    const [command = '', ...rest] = offline;
    await must(command, rest);
    const file = join(root, 'etc/systemd/system', `skerry-${service}.service`);
    const unit = readFileSync(file, 'utf8');
    assert.match(unit, new RegExp(`^ExecStart=/opt/skerry/skerry ${service} ${args.join(' ')}$`, 'm'));
    assert.doesNotMatch(unit, /@/);
    // Pods outlive the agent only when systemd ends no more than the agent.
    assert.equal(/^KillMode=process$/m.test(unit), service === 'edge');
    const installed = await must('env', bare([join(root, 'opt/skerry/skerry'), service, '--help']).slice(1));
    assert.match(installed, /--data-dir/);
    await verifyUnit(t, root, file);
  });
}

/** systemd's own opinion, where systemd is. */
async function verifyUnit(t: { diagnostic(message: string): void }, root: string, file: string): Promise<void> {
  try {
    const { code, stdout, stderr } = await runToEnd('systemd-analyze', ['verify', `--root=${root}`, file]);
    assert.ok(code === 0 || !`${stdout}${stderr}`.includes(file), stderr);
  } catch (error) {
    t.diagnostic(`systemd-analyze did not run: ${error instanceof Error ? error.message : String(error)}`);
  }
}
