/** The baseline profile: nothing that is known to reach the host. */
import type { Capabilities, Container, Probe, SELinuxOptions } from '../generated/types.ts';
import { SAFE_SYSCTLS } from './safe-sysctls.ts';
import { type Check, namesOf, quoted, type Subject, several, sortedSet, type Violation } from './subject.ts';

export const BASELINE: readonly Check[] = [
  { find: appArmor },
  { find: capabilities, replaced: 22 },
  { find: hostNamespaces },
  { find: hostPaths, replaced: 0 },
  { find: hostPorts },
  { since: 34, find: probeHosts },
  { find: hostProcesses },
  { find: privileged },
  { find: procMount },
  { find: seLinux },
  { since: 19, find: seccomp, replaced: 19 },
  { find: sysctls },
  { find: windowsHostProcess },
];

function hostNamespaces({ spec }: Subject): Violation | undefined {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true);
  if (used.length === 0) return undefined;
  return { reason: 'host namespaces', detail: used.map((name) => `${name}=true`).join(', ') };
}

const PROCESS_RUNTIME = 'process';
const PROCESS_IMAGE = 'host';

/** What runs as a process of the node is not held back from anything its user may do there. */
function hostProcesses({ spec, containers }: Subject): Violation | undefined {
  if (spec.runtimeClassName === PROCESS_RUNTIME) {
    return { reason: 'process of the host', detail: `pod must not set runtimeClassName="${PROCESS_RUNTIME}"` };
  }
  const bad = namesOf(containers.filter(({ image }) => image === PROCESS_IMAGE));
  if (bad.length === 0) return undefined;
  return {
    reason: 'process of the host',
    detail: `${several('container', bad)} must not use image "${PROCESS_IMAGE}"`,
  };
}

function privileged({ containers }: Subject): Violation | undefined {
  const bad = namesOf(containers.filter(({ securityContext }) => securityContext?.privileged === true));
  if (bad.length === 0) return undefined;
  return { reason: 'privileged', detail: `${several('container', bad)} must not set securityContext.privileged=true` };
}

const DEFAULT_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

function capabilities({ containers }: Subject): Violation | undefined {
  const found = addedBeyond(containers, DEFAULT_CAPABILITIES);
  return found === undefined ? undefined : { reason: 'non-default capabilities', detail: found };
}

/** Which containers add which capabilities that are not among the allowed. */
export function addedBeyond(containers: readonly Container[], allowed: ReadonlySet<string>): string | undefined {
  const extra = ({ add = [] }: Capabilities) => add.filter((name) => !allowed.has(name));
  const bad = containers.filter((container) => extra(container.securityContext?.capabilities ?? {}).length > 0);
  if (bad.length === 0) return undefined;
  const added = sortedSet(bad.flatMap((container) => extra(container.securityContext?.capabilities ?? {})));
  return `${several('container', namesOf(bad))} must not include ${quoted(added)} in securityContext.capabilities.add`;
}

function hostPaths({ spec }: Subject): Violation | undefined {
  const bad = (spec.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name);
  return bad.length === 0 ? undefined : { reason: 'hostPath volumes', detail: several('volume', bad) };
}

function hostPorts({ containers }: Subject): Violation | undefined {
  const portsOf = ({ ports = [] }: Container) => ports.flatMap(({ hostPort }) => (hostPort ? [String(hostPort)] : []));
  const bad = containers.filter((container) => portsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const ports = sortedSet(bad.flatMap(portsOf));
  return { reason: 'hostPort', detail: uses(bad, `hostPort${ports.length === 1 ? '' : 's'} ${ports.join(', ')}`) };
}

function probeHosts({ containers }: Subject): Violation | undefined {
  const handlers = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container) =>
    [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop] as (Probe | undefined)[];
  const hostsOf = (container: Container) =>
    handlers(container).flatMap((handler) => [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host) => host));
  const bad = containers.filter((container) => hostsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const hosts = sortedSet(bad.flatMap(hostsOf).map(String));
  const words = several('probe or lifecycle host', hosts);
  return { reason: 'probe or lifecycle host', detail: uses(sortedByName(bad), words) };
}

function sortedByName(containers: readonly Container[]): Container[] {
  return [...containers].sort((left, right) => (left.name < right.name ? -1 : 1));
}

function uses(containers: readonly Container[], what: string): string {
  return `${several('container', namesOf(containers))} ${containers.length === 1 ? 'uses' : 'use'} ${what}`;
}

function windowsHostProcess({ spec, containers }: Subject): Violation | undefined {
  const bad = containers.filter(({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
  const who = setters(spec.securityContext?.windowsOptions?.hostProcess === true, bad);
  if (who === '') return undefined;
  return { reason: 'hostProcess', detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
}

/** `pod and container "a"`. */
export function setters(isPod: boolean, containers: readonly Container[]): string {
  const names = containers.length === 0 ? [] : [several('container', namesOf(containers))];
  return [...(isPod ? ['pod'] : []), ...names].join(' and ');
}

const APP_ARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';
const APP_ARMOR_TYPES: readonly (string | undefined)[] = [undefined, 'RuntimeDefault', 'Localhost'];

function appArmor({ metadata, spec, containers }: Subject): Violation | undefined {
  const annotated = Object.entries(metadata.annotations ?? {}).filter(
    ([key, value]) => key.startsWith(APP_ARMOR_ANNOTATION) && !isAllowedAppArmor(value),
  );
  const isBad = (type: string | undefined) => !APP_ARMOR_TYPES.includes(type);
  const bad = containers.filter(({ securityContext }) => isBad(securityContext?.appArmorProfile?.type));
  const who = setters(isBad(spec.securityContext?.appArmorProfile?.type), bad);
  if (annotated.length === 0 && who === '') return undefined;
  const details = [
    ...(who === '' ? [] : [`${who} must not set AppArmor profile type to "Unconfined"`]),
    ...(annotated.length === 0
      ? []
      : [
          `annotation${annotated.length === 1 ? '' : 's'} ${quoted(annotated.map(([key, value]) => `${key}=${value}`).sort())}`,
        ]),
  ];
  const count = annotated.length + bad.length;
  return { reason: `forbidden AppArmor profile${count > 1 ? 's' : ''}`, detail: details.join(' and ') };
}

function isAllowedAppArmor(profile: string): boolean {
  return profile === '' || profile === 'runtime/default' || profile.startsWith('localhost/');
}

const SE_LINUX_TYPES = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']);

function seLinux({ spec, containers }: Subject): Violation | undefined {
  const isBad = (options: SELinuxOptions | undefined) => faultsOfSeLinux(options).length > 0;
  const bad = containers.filter(({ securityContext }) => isBad(securityContext?.seLinuxOptions));
  const who = setters(isBad(spec.securityContext?.seLinuxOptions), bad);
  if (who === '') return undefined;
  const all = [spec.securityContext, ...containers.map(({ securityContext }) => securityContext)];
  const faults = sortedSet(all.flatMap((context) => faultsOfSeLinux(context?.seLinuxOptions)));
  const verb = /^(?:pod|container "[^"]*")$/.test(who) ? 'sets' : 'set';
  return {
    reason: 'seLinuxOptions',
    detail: `${who} ${verb} forbidden securityContext.seLinuxOptions: ${faults.join('; ')}`,
  };
}

function faultsOfSeLinux(options: SELinuxOptions | undefined): string[] {
  const { type = '', user = '', role = '' } = options ?? {};
  return [
    ...(SE_LINUX_TYPES.has(type) ? [] : [`type "${type}"`]),
    ...(user === '' ? [] : ['user may not be set']),
    ...(role === '' ? [] : ['role may not be set']),
  ];
}

function procMount({ containers }: Subject): Violation | undefined {
  const mountOf = ({ securityContext }: Container) => securityContext?.procMount ?? 'Default';
  const bad = containers.filter((container) => mountOf(container) !== 'Default');
  if (bad.length === 0) return undefined;
  const mounts = quoted(sortedSet(bad.map(mountOf)));
  return {
    reason: 'procMount',
    detail: `${several('container', namesOf(bad))} must not set securityContext.procMount to ${mounts}`,
  };
}

/** Unset is fine here; the restricted profile wants it set. */
function seccomp({ spec, containers }: Subject): Violation | undefined {
  const isBad = (type: string | undefined) => type === 'Unconfined';
  const bad = containers.filter(({ securityContext }) => isBad(securityContext?.seccompProfile?.type));
  const who = setters(isBad(spec.securityContext?.seccompProfile?.type), bad);
  if (who === '') return undefined;
  return {
    reason: 'seccompProfile',
    detail: `${who} must not set securityContext.seccompProfile.type to "Unconfined"`,
  };
}

function sysctls({ spec }: Subject): Violation | undefined {
  const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !SAFE_SYSCTLS.has(name));
  return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
}
