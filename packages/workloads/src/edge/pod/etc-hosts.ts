/** A pod's /etc/hosts: itself, and the aliases that its spec asks for. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadyMount } from '../runtime.ts';
import type { Pod } from './types.ts';

export const HOSTS_FILE = '/etc/hosts';
/** What the kernel takes. */
const MAX_HOSTNAME_LENGTH = 64;
const LOCAL = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** Writes the file into the pod's directory, and says where it is mounted. A pod on the host's network has what is in `hostFile`. */
export async function makeEtcHosts(
  directory: string,
  pod: Pod,
  ips: readonly string[],
  hostFile = pod.spec.hostNetwork ? HOSTS_FILE : undefined,
): Promise<ReadyMount> {
  const folder = join(directory, pod.metadata.uid ?? '');
  const path = join(folder, 'etc-hosts');
  const own = hostFile === undefined ? linesOf(pod, ips) : await hostsOfHost(hostFile);
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`);
  if (aliases.length > 0) aliases.unshift('', '# Entries added by HostAliases.');
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeFile(path, `${[...own, ...aliases].join('\n')}\n`, { mode: 0o644 });
  return { hostPath: path, mountPath: '/etc/hosts', readOnly: false };
}

export async function removeEtcHosts(directory: string, uid: string): Promise<void> {
  await rm(join(directory, uid), { recursive: true, force: true });
}

async function hostsOfHost(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch(() => LOCAL.join('\n'));
  return ['# Kubernetes-managed hosts file (host network).', text.trimEnd()];
}

function linesOf(pod: Pod, ips: readonly string[]): string[] {
  const names = [wholeNameOf(pod), pod.spec.hostnameOverride ?? shortNameOf(pod)].filter((name) => name !== undefined);
  return ['# Kubernetes-managed hosts file.', ...LOCAL, ...ips.map((ip) => `${ip}\t${names.join('\t')}`)];
}

/** What a pod calls itself. Throws when its whole name is wanted and no kernel would take it. */
export function hostnameOf(pod: Pod): string {
  const { hostnameOverride, setHostnameAsFQDN } = pod.spec;
  if (hostnameOverride !== undefined && hostnameOverride !== '') return hostnameOverride;
  const whole = setHostnameAsFQDN ? wholeNameOf(pod) : undefined;
  if (whole === undefined) return shortNameOf(pod);
  if (whole.length <= MAX_HOSTNAME_LENGTH) return whole;
  throw new Error(
    `FQDN ${whole} is too long (${MAX_HOSTNAME_LENGTH} characters is the max, ${whole.length} characters requested)`,
  );
}

/** At most 63 letters, as a kubelet cuts it. */
function shortNameOf({ spec, metadata }: Pod): string {
  return (spec.hostname ?? metadata.name ?? 'pod').slice(0, 63).replace(/[-.]+$/, '');
}

function wholeNameOf(pod: Pod): string | undefined {
  const { subdomain, hostnameOverride } = pod.spec;
  if (subdomain === undefined || hostnameOverride !== undefined) return undefined;
  return `${shortNameOf(pod)}.${subdomain}.${pod.metadata.namespace}.svc.cluster.local`;
}
