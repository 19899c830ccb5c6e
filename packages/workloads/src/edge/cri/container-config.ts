/** A container as CRI is told of it: image, command, environment, mounts, privileges, limits. Pure. */
import type { Container, Pod, PodSecurityContext, SecurityContext, VolumeMount } from '../pod/types.ts';
import { limitsOf } from '../quantity.ts';
import { type ReadyMount, RuntimeRefusal, type StartContainer } from '../runtime.ts';
import type { ContainerConfig } from './client.ts';
import { Label, podLabels } from './labels.ts';
import { oomScoreOf } from './oom-score.ts';
import { namespacesOf } from './sandbox-config.ts';
import { Namespace, Propagation } from './schema.ts';
import { profileOf, seccompOf } from './seccomp.ts';

const CPU_PERIOD_US = 100_000;
const MIN_CPU_QUOTA_US = 1000;
const MIN_CPU_SHARES = 2;
const UNBOUNDED = -1;
const DEFAULT_TERMINATION_LOG = '/dev/termination-log';

export interface ContainerFacts {
  readonly node: string;
  readonly bootId: string;
  /** The pod's log directory; the container's log is below it. */
  readonly logDirectory: string;
  /** Made for the pod, such as /etc/hosts. */
  readonly mounts: readonly ReadyMount[];
  /** For an ephemeral container that looks into another one. */
  readonly targetId?: string;
  readonly memoryTotal: number;
  /** Where the node's profiles of seccomp are. */
  readonly seccompFolder: string;
}

export function containerConfigOf(request: StartContainer, facts: ContainerFacts): ContainerConfig {
  const { pod, container, attempt, env, command, args, hash, logPath } = request;
  const grace = String(pod.spec.terminationGracePeriodSeconds ?? 30);
  return {
    metadata: { name: container.name, attempt },
    image: { image: request.imageRef },
    command,
    args,
    workingDir: container.workingDir ?? '',
    env: Object.entries(env).map(([key, value]) => ({ key, value })),
    mounts: mountsOf(request, facts.mounts),
    labels: { ...podLabels(pod, facts.node), [Label.container]: container.name },
    annotations: { [Label.hash]: hash, [Label.grace]: grace, [Label.boot]: facts.bootId },
    logPath: logPath.slice(facts.logDirectory.length + 1),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: { resources: resourcesOf(pod, container, facts.memoryTotal), security: securityOf(pod, container, facts) },
  };
}

function mountsOf(
  { container, mounts, terminationLog }: StartContainer,
  ofPod: readonly ReadyMount[],
): NonNullable<ContainerConfig['mounts']> {
  const own = mounts.map((mount) => ({ ...mount, propagation: propagationAt(container, mount.mountPath) }));
  const taken = new Set(mounts.map(({ mountPath }) => mountPath));
  const last = container.terminationMessagePath ?? DEFAULT_TERMINATION_LOG;
  const words = terminationLog === undefined ? [] : [{ hostPath: terminationLog, mountPath: last, readOnly: false }];
  const rest = [...ofPod, ...words].filter(({ mountPath }) => !taken.has(mountPath));
  return [...own, ...rest.map((mount) => ({ ...mount, propagation: Propagation.private }))].map(
    ({ hostPath, mountPath, readOnly, propagation }) => ({ hostPath, containerPath: mountPath, readOnly, propagation }),
  );
}

function propagationAt({ volumeMounts = [] }: Container, mountPath: string): number {
  const mount: VolumeMount | undefined = volumeMounts.find((one) => one.mountPath === mountPath);
  if (mount?.mountPropagation === 'Bidirectional') return Propagation.bidirectional;
  return mount?.mountPropagation === 'HostToContainer' ? Propagation.hostToContainer : Propagation.private;
}

type Linux = NonNullable<ContainerConfig['linux']>;

function resourcesOf(pod: Pod, container: Container, memoryTotal: number): NonNullable<Linux['resources']> {
  const { memoryBytes, cpuMillis, cpuShareMillis } = limitsOf(container.resources);
  return {
    cpuShares: Math.max(MIN_CPU_SHARES, Math.floor(((cpuShareMillis ?? 0) * 1024) / 1000)),
    ...(cpuMillis === undefined
      ? {}
      : { cpuPeriod: CPU_PERIOD_US, cpuQuota: Math.max(MIN_CPU_QUOTA_US, (cpuMillis * CPU_PERIOD_US) / 1000) }),
    ...(memoryBytes === undefined ? {} : { memoryLimit: memoryBytes }),
    oomScoreAdj: oomScoreOf(pod, container, memoryTotal),
  };
}

/** For a container that runs: what is left out would stay as it is. */
export function newResourcesOf(...facts: Parameters<typeof resourcesOf>): NonNullable<Linux['resources']> {
  return { cpuQuota: UNBOUNDED, memoryLimit: UNBOUNDED, ...resourcesOf(...facts) };
}

function securityOf(pod: Pod, container: Container, facts: ContainerFacts): NonNullable<Linux['security']> {
  const { targetId, seccompFolder } = facts;
  const shared = pod.spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const user = own.runAsUser ?? shared.runAsUser;
  const group = own.runAsGroup ?? shared.runAsGroup;
  const namespaces = namespacesOf(pod);
  const confined = own.privileged ? { type: 'Unconfined' } : (own.seccompProfile ?? shared.seccompProfile);
  return {
    namespaces: targetId === undefined ? namespaces : { ...namespaces, pid: Namespace.target, targetId },
    privileged: own.privileged === true,
    capabilities: { add: plainNames(own.capabilities?.add), drop: plainNames(own.capabilities?.drop) },
    readOnlyRoot: own.readOnlyRootFilesystem === true,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    supplementalGroups: groupsOf(shared),
    seccomp: seccompOf(confined, seccompFolder),
    ...appArmorOf(own.appArmorProfile ?? shared.appArmorProfile),
    ...(user === undefined ? {} : { runAsUser: { value: user } }),
    ...(group === undefined ? {} : userless(user, group)),
  };
}

/** A group alone is no user of its own: the image's user, mostly root, goes with it. */
function userless(user: number | undefined, group: number): Partial<NonNullable<Linux['security']>> {
  return { ...(user === undefined ? { runAsUser: { value: 0 } } : {}), runAsGroup: { value: group } };
}

/** Nothing is said where the pod says nothing, so that runtimes without AppArmor have nothing to refuse. */
function appArmorOf(profile: SecurityContext['appArmorProfile']): Partial<NonNullable<Linux['security']>> {
  return profile?.type === undefined ? {} : { appArmor: profileOf(profile) };
}

function groupsOf({ supplementalGroups = [], fsGroup }: PodSecurityContext): number[] {
  return [...new Set([...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])])];
}

function plainNames(names: readonly string[] = []): string[] {
  return names.map((name) => name.toUpperCase().replace(/^CAP_/, ''));
}

export function demandsNonRoot(pod: Pod, container: Container): boolean {
  return (container.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot) === true;
}

/** The image's own user counts where the pod names none. Throws RuntimeRefusal. */
export function refuseRoot(
  pod: Pod,
  container: Container,
  image: { readonly uid?: number; readonly username: string },
): void {
  const shared = pod.spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  if (!demandsNonRoot(pod, container)) return;
  const user = own.runAsUser ?? shared.runAsUser;
  if (user !== undefined && user !== 0) return;
  if (user === 0) throw refusal("container's runAsUser breaks non-root policy");
  if (image.uid !== undefined && image.uid !== 0) return;
  if (image.username === '' || image.uid === 0) throw refusal('container has runAsNonRoot and image will run as root');
  throw refusal(
    `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`,
  );
}

function refusal(message: string): RuntimeRefusal {
  return new RuntimeRefusal('CreateContainerConfigError', message);
}
