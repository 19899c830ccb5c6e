/** A containerd of the test's own: root, state, socket, network and images in a temporary directory, nothing shared with the host's. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { makeImages, PAUSE_IMAGE } from './test-images.ts';

const NAMESPACE = 'k8s.io';
const CNI_PLUGINS = '/usr/lib/cni';
const TASK_GONE_MS = 10_000;

export class TestContainerd implements AsyncDisposable {
  readonly dir: string;
  readonly socket: string;
  readonly #bridge: string;
  readonly #wrapper: readonly string[];
  #child: ChildProcess | undefined;

  /** The words of `wrapper` come before its command. With `hostPorts` its network has them, by rules in the kernel of this machine. */
  static async start(wrapper: readonly string[] = [], { hostPorts = false } = {}): Promise<TestContainerd> {
    const containerd = new TestContainerd(wrapper, hostPorts);
    await containerd.start();
    const work = join(containerd.dir, 'images');
    const archive = join(work, 'images.tar');
    makeImages(work, archive);
    containerd.ctr('images', 'import', archive);
    return containerd;
  }

  private constructor(wrapper: readonly string[], hostPorts: boolean) {
    this.#wrapper = wrapper;
    this.dir = mkdtempSync(join(tmpdir(), 'skerry-ctr-'));
    this.socket = join(this.dir, 'containerd.sock');
    // Two tests at once must not meet on a network.
    const [second, third] = [randomInt(64, 128), randomInt(0, 256)];
    this.#bridge = `skt${second}x${third}`;
    mkdirSync(join(this.dir, 'cni'));
    writeFileSync(join(this.dir, 'config.toml'), configOf(this.dir, this.socket));
    writeFileSync(
      join(this.dir, 'cni', '10-test.conflist'),
      networkOf(this.dir, { bridge: this.#bridge, subnet: `10.${second}.${third}.0/24`, hostPorts }),
    );
  }

  async start(): Promise<void> {
    const log = openSync(join(this.dir, 'containerd.log'), 'a');
    const [command, ...args] = [...this.#wrapper, 'containerd', '--config', join(this.dir, 'config.toml')];
    this.#child = spawn(command, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    await eventually('containerd answers', () => spawnSync('ctr', ['--address', this.socket, 'version']).status === 0);
  }

  ctr(...args: readonly string[]): string {
    return execFileSync('ctr', ['--address', this.socket, '--namespace', NAMESPACE, ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  }

  /** As the power switch does it: the daemon, its shims, and every process in a container. */
  async powerOff(): Promise<void> {
    await this.kill9();
    const shims = this.#shims();
    for (const pid of shims.flatMap(descendants)) kill(pid);
    for (const pid of shims) kill(pid);
    rmSync(this.socket, { force: true });
    await eventually('all shims are gone', () => this.#shims().length === 0, { timeoutMs: TASK_GONE_MS });
  }

  /** After `kill9`: as on a machine where it never ran, until it starts again. */
  hideSocket(): void {
    rmSync(this.socket, { force: true });
  }

  async kill9(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerOff();
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    const own = mounts.filter((path) => path.startsWith(`${this.dir}/`)).reverse();
    for (const path of own) spawnSync('umount', ['--lazy', path]);
    spawnSync('ip', ['link', 'delete', this.#bridge]);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #shims(): readonly number[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map(Number).filter((pid) => {
      const words = read(`/proc/${pid}/cmdline`).split('\0');
      return words[0]?.includes('containerd-shim') === true && words.includes(this.socket);
    });
  }
}

function configOf(dir: string, socket: string): string {
  return `version = 2
root = "${dir}/root"
state = "${dir}/state"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  # Confined machines may not make anything less likely to be killed.
  restrict_oom_score_adj = true
  disable_apparmor = true
  sandbox_image = "${PAUSE_IMAGE}"
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "${CNI_PLUGINS}"
  conf_dir = "${dir}/cni"
`;
}

interface Network {
  readonly bridge: string;
  readonly subnet: string;
  readonly hostPorts: boolean;
}

function networkOf(dir: string, { bridge, subnet, hostPorts }: Network): string {
  const ipam = {
    type: 'host-local',
    dataDir: join(dir, 'ipam'),
    ranges: [[{ subnet }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const ports = hostPorts ? [{ type: 'portmap', capabilities: { portMappings: true } }] : [];
  const plugins = [{ type: 'bridge', bridge, isGateway: true, hairpinMode: true, ipam }, ...ports];
  return JSON.stringify({ cniVersion: '1.0.0', name: bridge, plugins });
}

function descendants(pid: number): readonly number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [...children, ...children.flatMap(descendants)];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
