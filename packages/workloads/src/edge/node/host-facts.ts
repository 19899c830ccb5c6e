/** What a node is: its machine, system, addresses. Read once at the start; `root` is where a test's files are. */
import { readFileSync } from 'node:fs';
import { arch, cpus, networkInterfaces, release } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@skerry/base';

export interface HostFacts {
  readonly cpus: number;
  readonly architecture: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly bootId: string;
  readonly machineId: string;
  readonly systemUuid: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  riscv64: 'riscv64',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

export function readHostFacts(root = '/', bootIdFile = join(root, 'proc/sys/kernel/random/boot_id')): HostFacts {
  const osRelease = readText(join(root, 'etc/os-release'));
  const machineId = readText(join(root, 'etc/machine-id')).trim();
  return {
    cpus: cpus().length,
    architecture: ARCHITECTURES[arch()] ?? arch(),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?(.*?)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    bootId: readText(bootIdFile).trim(),
    machineId,
    systemUuid: readText(join(root, 'sys/class/dmi/id/product_uuid')).trim() || machineId,
  };
}

/** The addresses by which others may reach this host, IPv4 first; the loopback address where there is no other. */
export function hostAddresses(interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces()): string[] {
  const usable = Object.entries(interfaces)
    .filter(([name]) => !/^(docker|veth|br-|cni|flannel|virbr|cali)/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:') && !address.startsWith('169.254.'));
  const of = (family: string) => usable.find((one) => one.family === family)?.address;
  const found = [of('IPv4'), of('IPv6')].filter((address) => address !== undefined);
  return found.length === 0 ? ['127.0.0.1'] : found;
}

/** Addresses change seldom and are asked for at every look at every pod, while the kernel takes half a millisecond to tell them. */
const ADDRESSES_FRESH_MS = 1000;

/** `hostAddresses`, read anew once what was read is a second old. */
export function createHostAddresses(
  clock: Pick<Clock, 'monotonic'>,
  read: () => readonly string[] = hostAddresses,
): () => readonly string[] {
  let addresses: readonly string[] = [];
  let staleAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.monotonic() < staleAt) return addresses;
    addresses = read();
    staleAt = clock.monotonic() + ADDRESSES_FRESH_MS;
    return addresses;
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
