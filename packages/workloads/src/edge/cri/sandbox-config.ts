/** What a pod asks of its sandbox: names, network, ports, DNS, sysctls. Pure. */

import { sysctlName } from '../pod/admission.ts';
import { hostnameOf } from '../pod/etc-hosts.ts';
import type { Container, Pod } from '../pod/types.ts';
import type { DnsSettings } from '../services/dns-settings.ts';
import type { SandboxConfig } from './client.ts';
import { Label, type OwnLabels, podLabels } from './labels.ts';
import { Namespace, Protocol } from './schema.ts';
import { profileOf } from './seccomp.ts';

export interface SandboxFacts {
  readonly node: string;
  /** Where the runtime writes the logs of the pod's containers. */
  readonly logDirectory: string;
  readonly attempt: number;
  /** Absent: the runtime hands the host's resolv.conf on. */
  readonly dns?: DnsSettings;
}

export function sandboxConfigOf(pod: Pod, { node, logDirectory, attempt, dns }: SandboxFacts): SandboxConfig {
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const labels: OwnLabels = podLabels(pod, node);
  return {
    metadata: { name, uid, namespace, attempt },
    // On the host's network the host's own name stays.
    ...(pod.spec.hostNetwork ? {} : { hostname: hostnameOf(pod), ports: portsOf(pod) }),
    logDirectory,
    ...(dns === undefined ? {} : { dns }),
    labels: { ...pod.metadata.labels, ...labels },
    annotations: { [Label.logDirectory]: logDirectory },
    linux: { security: securityOf(pod), sysctls: sysctlsOf(pod) },
  };
}

export function namespacesOf({ spec }: Pod): { network: number; pid: number; ipc: number } {
  const own = spec.shareProcessNamespace ? Namespace.pod : Namespace.container;
  return {
    network: spec.hostNetwork ? Namespace.node : Namespace.pod,
    pid: spec.hostPID ? Namespace.node : own,
    ipc: spec.hostIPC ? Namespace.node : Namespace.pod,
  };
}

function securityOf(pod: Pod): NonNullable<NonNullable<SandboxConfig['linux']>['security']> {
  const { supplementalGroups = [], fsGroup, seccompProfile } = pod.spec.securityContext ?? {};
  const { initContainers = [], containers } = pod.spec;
  return {
    namespaces: namespacesOf(pod),
    // A privileged container demands a sandbox that may hold one.
    privileged: [...initContainers, ...containers].some(({ securityContext }) => securityContext?.privileged === true),
    supplementalGroups: [...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])],
    // A profile made for the pod's programs need not let the one of the sandbox run.
    seccomp: profileOf(seccompProfile?.type === 'Localhost' ? { type: 'RuntimeDefault' } : seccompProfile),
  };
}

function portsOf({ spec: { initContainers = [], containers } }: Pod): NonNullable<SandboxConfig['ports']> {
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...sidecars, ...containers].flatMap(hostPortsOf);
}

function hostPortsOf({ ports = [] }: Container): NonNullable<SandboxConfig['ports']> {
  return ports.flatMap(({ hostPort, containerPort, protocol = 'TCP', hostIP = '' }) => {
    if (hostPort === undefined || hostPort === 0) return [];
    const known = protocol in Protocol ? Protocol[protocol as keyof typeof Protocol] : Protocol.TCP;
    return [{ protocol: known, containerPort, hostPort, hostIp: hostIP }];
  });
}

function sysctlsOf({ spec: { securityContext } }: Pod): Record<string, string> {
  return Object.fromEntries((securityContext?.sysctls ?? []).map(({ name, value }) => [sysctlName(name), value]));
}
