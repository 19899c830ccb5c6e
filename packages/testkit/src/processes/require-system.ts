/** What a test needs of the machine: present, or skipped by name with the command that brings it, or, in CI, a failure. */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

/** A Debian package and the program that shows it is there; one without a program on the path is known by its file. */
const PROGRAMS = {
  bubblewrap: 'bwrap',
  strace: 'strace',
  faketime: 'faketime',
  iproute2: 'ip',
  curl: 'curl',
  procps: 'ps',
  openssl: 'openssl',
  containerd: 'containerd',
  runc: 'runc',
  'containernetworking-plugins': '/usr/lib/cni/bridge',
  'busybox-static': 'busybox',
  'qemu-user-static': 'qemu-aarch64-static',
  'libstdc++6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libstdc++.so.6',
  skopeo: 'skopeo',
  buildah: 'buildah',
  podman: 'podman',
  'docker-registry': 'docker-registry',
  nftables: 'nft',
  conntrack: 'conntrack',
  socat: 'socat',
  mbpoll: 'mbpoll',
  gcc: 'gcc',
  'libc6-dev': '/usr/include/stdio.h',
  'libmodbus-dev': '/usr/include/modbus/modbus.h',
  mosquitto: 'mosquitto',
  'mosquitto-clients': 'mosquitto_pub',
  'victoria-metrics': 'victoria-metrics',
  influxdb: 'influxd',
  prometheus: 'prometheus',
  'graphite-carbon': 'carbon-cache',
  postgresql: '/usr/share/postgresql-common/pg_wrapper',
  'nats-server': 'nats-server',
} as const;

export type SystemNeed = keyof typeof PROGRAMS | 'root';

/** True when all is there. Otherwise skips the test with the reason; with SKERRY_TEST_REQUIRE=all it fails instead. */
export function requireSystem(test: TestContext, ...needs: readonly SystemNeed[]): boolean {
  const reason = skipWithout(...needs);
  if (reason === false) return true;
  test.skip(reason);
  return false;
}

/** For a whole suite: why it is left out, or false when all is there. With SKERRY_TEST_REQUIRE=all it throws instead. */
export function skipWithout(...needs: readonly SystemNeed[]): string | false {
  const missing = needs.filter((need) => !isPresent(need));
  if (missing.length === 0) return false;
  const reason = missing.map(explain).join('; ');
  if (process.env['SKERRY_TEST_REQUIRE'] === 'all') throw new Error(reason);
  return reason;
}

function explain(need: SystemNeed): string {
  return need === 'root' ? 'needs root: run it with sudo' : `needs ${need}: apt-get install ${need}`;
}

function isPresent(need: SystemNeed): boolean {
  if (need === 'root') return process.getuid?.() === 0;
  const program = PROGRAMS[need];
  if (program.startsWith('/')) return existsSync(program);
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
