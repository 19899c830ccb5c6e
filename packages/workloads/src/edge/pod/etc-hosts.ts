/** A pod's /etc/hosts: itself, and the aliases that its spec asks for. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadyMount } from '../runtime.ts';
import type { Pod } from './types.ts';

const LOCAL = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** Writes the file into the pod's directory, and says where it is mounted. */
export async function makeEtcHosts(directory: string, pod: Pod, ips: readonly string[]): Promise<ReadyMount> {
  const folder = join(directory, pod.metadata.uid ?? '');
  const path = join(folder, 'etc-hosts');
  const own = pod.spec.hostNetwork
    ? [await readFile('/etc/hosts', 'utf8').catch(() => LOCAL.join('\n'))]
    : linesOf(pod, ips);
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeFile(path, `${[...own, ...aliases].join('\n')}\n`, { mode: 0o644 });
  return { hostPath: path, mountPath: '/etc/hosts', readOnly: false };
}

export async function removeEtcHosts(directory: string, uid: string): Promise<void> {
  await rm(join(directory, uid), { recursive: true, force: true });
}

function linesOf(pod: Pod, ips: readonly string[]): string[] {
  const hostname = hostnameOf(pod);
  const { subdomain } = pod.spec;
  const full = subdomain === undefined ? [] : [`${hostname}.${subdomain}.${pod.metadata.namespace}.svc.cluster.local`];
  return [...LOCAL, ...ips.map((ip) => `${ip}\t${[...full, hostname].join('\t')}`)];
}

/** At most 63 letters, as a kubelet cuts it. */
export function hostnameOf({ spec, metadata }: Pod): string {
  return (spec.hostname ?? metadata.name ?? 'pod').slice(0, 63).replace(/[-.]+$/, '');
}
