/** The Debian packages that tests need: what for, and how to see that they are there. `npm run setup:system` brings them. */
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, say, scriptEnv } from './tasks.ts';

export interface SystemPackage {
  readonly name: string;
  /** A program of it, on the path or by its full name; the package counts as present when this is there. */
  readonly program: string;
  readonly purpose: string;
}

export const SYSTEM_PACKAGES: readonly SystemPackage[] = [
  { name: 'bubblewrap', program: 'bwrap', purpose: 'mount namespaces of process pods' },
  { name: 'strace', program: 'strace', purpose: 'counting fsyncs before acknowledgements' },
  { name: 'faketime', program: 'faketime', purpose: 'nodes and clouds with another clock' },
  { name: 'iproute2', program: 'ip', purpose: 'network namespaces of the tests' },
  { name: 'curl', program: 'curl', purpose: 'examples/rbac.yaml, whose pod asks the API' },
  { name: 'procps', program: 'ps', purpose: 'process facts in tests' },
  { name: 'openssl', program: 'openssl', purpose: 'a second opinion on our certificates' },
  { name: 'containerd', program: 'containerd', purpose: 'pods as containers' },
  { name: 'runc', program: 'runc', purpose: 'what containerd starts containers with' },
  { name: 'containernetworking-plugins', program: '/usr/lib/cni/bridge', purpose: 'the network of containers' },
  { name: 'busybox-static', program: 'busybox', purpose: 'images of the tests' },
  { name: 'skopeo', program: 'skopeo', purpose: 'pushing images to the registry' },
  { name: 'buildah', program: 'buildah', purpose: 'building images and pushing them' },
  { name: 'podman', program: 'podman', purpose: 'pulling from the registry and pushing to it' },
  { name: 'docker-registry', program: 'docker-registry', purpose: 'another registry, behind ours and to pull from' },
  { name: 'nftables', program: 'nft', purpose: 'Services among the pods of a node' },
  { name: 'conntrack', program: 'conntrack', purpose: 'UDP flows whose endpoint has left' },
  { name: 'qemu-user-static', program: 'qemu-aarch64-static', purpose: 'the agent as it runs on arm64' },
  {
    name: 'libstdc++6-arm64-cross',
    program: '/usr/aarch64-linux-gnu/lib/libstdc++.so.6',
    purpose: 'the C and C++ libraries of arm64',
  },
  { name: 'socat', program: 'socat', purpose: 'serial lines by pseudo-terminals' },
  { name: 'mbpoll', program: 'mbpoll', purpose: 'asking the Modbus simulator' },
  { name: 'gcc', program: 'gcc', purpose: 'a Modbus server of libmodbus' },
  { name: 'libc6-dev', program: '/usr/include/stdio.h', purpose: 'a Modbus server of libmodbus' },
  { name: 'libmodbus-dev', program: '/usr/include/modbus/modbus.h', purpose: 'a Modbus server of libmodbus' },
  { name: 'mosquitto', program: 'mosquitto', purpose: 'another MQTT broker, beside ours and to drive devices by' },
  { name: 'mosquitto-clients', program: 'mosquitto_pub', purpose: 'clients of the MQTT broker' },
  { name: 'victoria-metrics', program: 'victoria-metrics', purpose: 'an engine that outlets send to' },
  { name: 'influxdb', program: 'influxd', purpose: 'an engine that outlets send to' },
  { name: 'prometheus', program: 'prometheus', purpose: 'an engine that outlets send to' },
  { name: 'graphite-carbon', program: 'carbon-cache', purpose: 'an engine that outlets send to' },
  { name: 'postgresql', program: '/usr/share/postgresql-common/pg_wrapper', purpose: 'an engine that outlets send to' },
  { name: 'nats-server', program: 'nats-server', purpose: 'an engine that outlets send to' },
];

const POLICY = '/usr/sbin/policy-rc.d';

export function missingPackages(): readonly SystemPackage[] {
  return SYSTEM_PACKAGES.filter(({ program }) => !isOnPath(program));
}

function isOnPath(program: string): boolean {
  if (program.startsWith('/')) return existsSync(program);
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function isDebian(): boolean {
  return (
    existsSync('/etc/debian_version') ||
    (existsSync('/etc/os-release') && /ID(_LIKE)?=.*debian/.test(readFileSync('/etc/os-release', 'utf8')))
  );
}

/** Installs what is missing where that is possible; else says by name what stays out and which command brings it. */
export function setUpSystem(declined: boolean): void {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const command = `apt-get install -y --no-install-recommends ${names.join(' ')}`;
  for (const { name, purpose } of missing) say(`system package ${name} is missing (${purpose})`);
  if (declined || process.getuid?.() !== 0 || !isDebian()) {
    say(`tests that need them are left out; as root on Debian or Ubuntu, this brings them: ${command}`);
    return;
  }
  say(command);
  const env = scriptEnv({ DEBIAN_FRONTEND: 'noninteractive' });
  run('apt-get', ['update', '-q'], env);
  const install = () => run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], env);
  if (withoutServices(install) !== 0) say('apt-get failed; the messages above say why');
}

/** Tests start what they need by themselves: no package that comes now starts a server of its own. See Debian's policy-rc.d(8). */
function withoutServices<T>(install: () => T): T {
  if (existsSync(POLICY)) return install();
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return install();
  } finally {
    rmSync(POLICY);
  }
}

if (import.meta.main) setUpSystem(process.argv.includes('--no-system'));
